//! WebSocket messages over a raw stream, read and written by halves.
//!
//! The frame headers are tungstenite's; its message layer is not used, since it answers pings by itself and reads
//! and writes through one object. A sandbox must be able to leave a ping unanswered, to stop reading while it
//! still writes, and to vanish without a close frame.

use std::io::Cursor;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

/// A whole message, or a control frame between the parts of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Ping(Bytes),
    Pong,
    /// The peer says goodbye. The code is none where its frame was empty.
    Close(Option<u16>),
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the peer closed the connection without a close frame")]
    Eof,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The peer broke the protocol: close with this code.
    #[error("{reason}")]
    Broken { code: u16, reason: &'static str },
}

fn broken(reason: &'static str) -> WireError {
    WireError::Broken { code: 1002, reason }
}

/// Reads what a client sends.
pub(super) struct WireReader<R> {
    stream: R,
    buffer: BytesMut,
    /// The first parts of a message in several frames.
    parts: Option<(Data, Vec<u8>)>,
    largest: usize,
}

impl<R: AsyncRead + Unpin> WireReader<R> {
    /// `largest` is the size in bytes of the longest message to be taken; a longer one is answered by 1009.
    pub(super) fn new(stream: R, largest: usize) -> Self {
        Self { stream, buffer: BytesMut::with_capacity(4096), parts: None, largest }
    }

    /// The next message. Cancelling loses nothing: what was read stays in the buffer.
    pub(super) async fn next(&mut self) -> Result<Incoming, WireError> {
        loop {
            if let Some((header, payload)) = self.take_frame()? {
                if let Some(message) = self.take_message(&header, payload)? {
                    return Ok(message);
                }
                continue;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(WireError::Eof);
            }
        }
    }

    fn take_frame(&mut self) -> Result<Option<(FrameHeader, BytesMut)>, WireError> {
        let mut cursor = Cursor::new(&self.buffer[..]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| broken("the frame's opcode is reserved"))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let head = cursor.position() as usize;
        let so_far = self.parts.as_ref().map_or(0, |(_, p)| p.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.largest.saturating_sub(so_far) {
            return Err(WireError::Broken { code: 1009, reason: "the message is too big" });
        }
        let Some(mask) = header.mask else { return Err(broken("a client's frame must be masked")) };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(broken("a reserved bit is set"));
        }
        if self.buffer.len() < head + length {
            self.buffer.reserve(head + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(head);
        let mut payload = self.buffer.split_to(length);
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
        Ok(Some((header, payload)))
    }

    fn take_message(&mut self, header: &FrameHeader, payload: BytesMut) -> Result<Option<Incoming>, WireError> {
        match header.opcode {
            OpCode::Control(_) if !header.is_final || payload.len() > 125 => {
                Err(broken("a control frame must be whole and at most 125 bytes long"))
            }
            OpCode::Control(Control::Ping) => Ok(Some(Incoming::Ping(payload.freeze()))),
            OpCode::Control(Control::Pong) => Ok(Some(Incoming::Pong)),
            OpCode::Control(Control::Close) => match payload.len() {
                0 => Ok(Some(Incoming::Close(None))),
                1 => Err(broken("a close frame of one byte")),
                _ => Ok(Some(Incoming::Close(Some(u16::from_be_bytes([payload[0], payload[1]]))))),
            },
            OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => {
                Err(broken("the frame's opcode is reserved"))
            }
            OpCode::Data(Data::Continue) => {
                let Some((kind, mut whole)) = self.parts.take() else {
                    return Err(broken("a continuation of nothing"));
                };
                whole.extend_from_slice(&payload);
                self.finish(header.is_final, kind, whole)
            }
            OpCode::Data(kind) => {
                if self.parts.is_some() {
                    return Err(broken("a new message inside another"));
                }
                self.finish(header.is_final, kind, payload.into())
            }
        }
    }

    fn finish(&mut self, is_final: bool, kind: Data, whole: Vec<u8>) -> Result<Option<Incoming>, WireError> {
        if !is_final {
            self.parts = Some((kind, whole));
            return Ok(None);
        }
        if kind == Data::Binary {
            return Ok(Some(Incoming::Binary(whole)));
        }
        match String::from_utf8(whole) {
            Ok(text) => Ok(Some(Incoming::Text(text))),
            Err(_) => Err(WireError::Broken { code: 1007, reason: "the text is not UTF-8" }),
        }
    }
}

/// The bytes of a frame, as a server sends it.
fn bytes_of(frame: Frame) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len());
    // Formatting into a vector has no way to fail.
    if frame.format(&mut out).is_err() {
        out.clear();
    }
    out
}

pub(super) fn text_frame(text: &str) -> Vec<u8> {
    bytes_of(Frame::message(Bytes::copy_from_slice(text.as_bytes()), OpCode::Data(Data::Text), true))
}

pub(super) fn pong_frame(payload: Bytes) -> Vec<u8> {
    bytes_of(Frame::pong(payload))
}

/// A close frame; an empty one without a code.
pub(super) fn close_frame(code: Option<u16>, reason: &str) -> Vec<u8> {
    bytes_of(Frame::close(code.map(|c| CloseFrame { code: c.into(), reason: reason.into() })))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client_frame(opcode: u8, fin: bool, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut out = vec![opcode | if fin { 0x80 } else { 0 }];
        match payload.len() {
            n @ 0..=125 => out.push(0x80 | n as u8),
            n => {
                out.push(0x80 | 126);
                out.extend((n as u16).to_be_bytes());
            }
        }
        out.extend(mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, k)| b ^ k));
        out
    }

    fn read_all(bytes: &[u8], largest: usize) -> (Vec<Incoming>, WireError) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader = WireReader::new(bytes, largest);
            let mut seen = Vec::new();
            loop {
                match reader.next().await {
                    Ok(m) => seen.push(m),
                    Err(e) => return (seen, e),
                }
            }
        })
    }

    #[test]
    fn a_ping_between_the_parts_of_a_message_is_read() {
        let mut bytes = client_frame(1, false, b"Hel");
        bytes.extend(client_frame(9, true, b"p"));
        bytes.extend(client_frame(0, true, b"lo"));
        bytes.extend(client_frame(8, true, &1000u16.to_be_bytes()));
        let (seen, end) = read_all(&bytes, 100);
        assert_eq!(
            seen,
            [Incoming::Ping(Bytes::from_static(b"p")), Incoming::Text("Hello".into()), Incoming::Close(Some(1000))]
        );
        assert!(matches!(end, WireError::Eof));
    }

    #[test]
    fn what_breaks_the_protocol_gets_its_close_code() {
        let code = |bytes: &[u8], largest| match read_all(bytes, largest).1 {
            WireError::Broken { code, .. } => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(&[0x81, 0x01, b'x'], 10), 1002, "not masked");
        assert_eq!(code(&client_frame(1, true, b"too long"), 4), 1009);
        assert_eq!(code(&client_frame(1, true, &[0xff]), 4), 1007);
        assert_eq!(code(&client_frame(0, true, b"x"), 4), 1002);
        assert_eq!(code(&client_frame(3, true, b"x"), 4), 1002);
        let mut parts = client_frame(1, false, b"abc");
        parts.extend(client_frame(0, true, b"de"));
        assert_eq!(code(&parts, 4), 1009, "the limit holds over all parts");
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_clean_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read_all(&bytes, 200);
        }

        #[test]
        fn any_text_arrives_whole(text in ".{0,300}") {
            prop_assert_eq!(&read_all(&client_frame(1, true, text.as_bytes()), 5000).0, &[Incoming::Text(text)]);
        }
    }
}
