//! WebSocket messages as they are on the wire.
//!
//! The header format is tungstenite's; putting frames together is done here, because a test console must show what a
//! well-behaved library hides: a text message that is not UTF-8 ends the connection there, and its bytes are gone.

use std::io::Cursor;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

/// The longest message that is taken; beyond it the connection is closed with 1009.
pub const MAX_MESSAGE: u64 = 64 << 20;

const READ_CHUNK: usize = 128 << 10;

/// A whole message or control frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Opcode 1, whatever the bytes are.
    Text(Bytes),
    Binary(Bytes),
    Ping(Bytes),
    Pong(Bytes),
    /// Code 1005 stands for a close frame without one, as in RFC 6455, 7.1.5.
    Close {
        code: u16,
        reason: Bytes,
    },
}

/// What a server must not do. The connection cannot go on after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("a frame with opcode {0:#x}, which no extension that was agreed on defines")]
    Opcode(u8),
    #[error("reserved bits are set, though no extension was agreed on")]
    ReservedBits,
    #[error("a masked frame; servers must not mask")]
    Masked,
    #[error("a control frame of {0} bytes; at most 125 are allowed")]
    LongControl(u64),
    #[error("a control frame in fragments")]
    FragmentedControl,
    #[error("a continuation without a beginning")]
    LooseContinuation,
    #[error("a new message inside a fragmented one")]
    InterruptedMessage,
    #[error("a message of more than {MAX_MESSAGE} bytes")]
    TooLong,
    #[error("a frame header that cannot be read: {0}")]
    Header(String),
}

impl Violation {
    /// The close code that answers it.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::TooLong => 1009,
            _ => 1002,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads messages. What was read ahead is kept, so that a caller can take all that is there without waiting.
pub struct FrameReader<R> {
    io: R,
    buffer: BytesMut,
    /// The message whose fragments are coming: its first opcode, and what came so far.
    partial: Option<(Data, BytesMut)>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(io: R) -> Self {
        Self { io, buffer: BytesMut::with_capacity(READ_CHUNK), partial: None }
    }

    /// The next message, none at the end of the stream. May be dropped and called again at any await.
    pub async fn next(&mut self) -> Result<Option<Wire>, ReadError> {
        loop {
            if let Some(wire) = self.ready()? {
                return Ok(Some(wire));
            }
            self.buffer.reserve(READ_CHUNK);
            if self.io.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next message that is already here.
    pub fn ready(&mut self) -> Result<Option<Wire>, Violation> {
        loop {
            let mut cursor = Cursor::new(&self.buffer[..]);
            let header = match FrameHeader::parse(&mut cursor) {
                Ok(Some((header, length))) => Some((header, length, cursor.position() as usize)),
                Ok(None) => None,
                Err(e) => return Err(header_violation(&self.buffer, &e)),
            };
            let Some((header, length, head)) = header else { return Ok(None) };
            check(&header, length)?;
            let so_far = self.partial.as_ref().map_or(0, |(_, b)| b.len() as u64);
            if length.saturating_add(so_far) > MAX_MESSAGE {
                return Err(Violation::TooLong);
            }
            let length = length as usize;
            if self.buffer.len() < head + length {
                self.buffer.reserve(head + length - self.buffer.len());
                return Ok(None);
            }
            self.buffer.advance(head);
            let payload = self.buffer.split_to(length).freeze();
            if let Some(wire) = self.take(&header, payload)? {
                return Ok(Some(wire));
            }
        }
    }

    fn take(&mut self, header: &FrameHeader, payload: Bytes) -> Result<Option<Wire>, Violation> {
        let data = match header.opcode {
            OpCode::Control(Control::Ping) => return Ok(Some(Wire::Ping(payload))),
            OpCode::Control(Control::Pong) => return Ok(Some(Wire::Pong(payload))),
            OpCode::Control(Control::Close) => return Ok(Some(close(payload))),
            OpCode::Control(Control::Reserved(n)) => return Err(Violation::Opcode(n)),
            OpCode::Data(Data::Reserved(n)) => return Err(Violation::Opcode(n)),
            OpCode::Data(data) => data,
        };
        match (data, self.partial.take()) {
            (Data::Continue, None) => Err(Violation::LooseContinuation),
            (Data::Continue, Some((first, mut whole))) => {
                whole.extend_from_slice(&payload);
                if header.is_final {
                    return Ok(Some(message(first, whole.freeze())));
                }
                self.partial = Some((first, whole));
                Ok(None)
            }
            (_, Some(_)) => Err(Violation::InterruptedMessage),
            (first, None) if header.is_final => Ok(Some(message(first, payload))),
            (first, None) => {
                self.partial = Some((first, BytesMut::from(&payload[..])));
                Ok(None)
            }
        }
    }
}

fn message(first: Data, payload: Bytes) -> Wire {
    match first {
        Data::Text => Wire::Text(payload),
        _ => Wire::Binary(payload),
    }
}

fn close(mut payload: Bytes) -> Wire {
    match payload.len() {
        0 | 1 => Wire::Close { code: 1005, reason: payload },
        _ => Wire::Close { code: payload.get_u16(), reason: payload },
    }
}

fn check(header: &FrameHeader, length: u64) -> Result<(), Violation> {
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return Err(Violation::ReservedBits);
    }
    if header.mask.is_some() {
        return Err(Violation::Masked);
    }
    if let OpCode::Control(_) = header.opcode {
        if !header.is_final {
            return Err(Violation::FragmentedControl);
        }
        if length > 125 {
            return Err(Violation::LongControl(length));
        }
    }
    Ok(())
}

fn header_violation(buffer: &[u8], e: &dyn std::fmt::Display) -> Violation {
    match buffer.first().map(|b| b & 0x0f) {
        Some(n) if !matches!(n, 0..=2 | 8..=10) => Violation::Opcode(n),
        _ => Violation::Header(e.to_string()),
    }
}

/// A frame of ours, masked, ready for the wire.
pub fn encode(wire: &Wire, mask: [u8; 4], out: &mut Vec<u8>) {
    let (opcode, payload) = match wire {
        Wire::Text(b) => (OpCode::Data(Data::Text), b.clone()),
        Wire::Binary(b) => (OpCode::Data(Data::Binary), b.clone()),
        Wire::Ping(b) => (OpCode::Control(Control::Ping), b.clone()),
        Wire::Pong(b) => (OpCode::Control(Control::Pong), b.clone()),
        Wire::Close { code, reason } => {
            let mut payload = BytesMut::with_capacity(2 + reason.len());
            if *code != 1005 {
                payload.extend_from_slice(&code.to_be_bytes());
                payload.extend_from_slice(&reason[..reason.len().min(123)]);
            }
            (OpCode::Control(Control::Close), payload.freeze())
        }
    };
    let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
    // A Vec takes all that is written.
    let _ = Frame::from_payload(header, payload).format(out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            n @ 0..=125 => out.push(n as u8),
            n @ 126..=65535 => {
                out.push(126);
                out.extend_from_slice(&(n as u16).to_be_bytes());
            }
            n => {
                out.push(127);
                out.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(payload);
        out
    }

    fn read_all(bytes: &[u8], chunk: usize) -> (Vec<Wire>, Option<Violation>) {
        let mut reader = FrameReader::new(tokio::io::empty());
        let mut seen = Vec::new();
        for piece in bytes.chunks(chunk.max(1)) {
            reader.buffer.extend_from_slice(piece);
            loop {
                match reader.ready() {
                    Ok(Some(w)) => seen.push(w),
                    Ok(None) => break,
                    Err(v) => return (seen, Some(v)),
                }
            }
        }
        (seen, None)
    }

    #[test]
    fn text_that_is_not_utf8_is_shown_as_received() {
        let mut bytes = server_frame(0x81, b"\xff\xfe");
        bytes.extend(server_frame(0x81, b"ok"));
        let (seen, fault) = read_all(&bytes, 1);
        assert_eq!(fault, None);
        assert_eq!(seen, [Wire::Text(Bytes::from_static(b"\xff\xfe")), Wire::Text(Bytes::from_static(b"ok"))]);
    }

    #[test]
    fn fragments_are_joined_and_controls_come_between() {
        let mut bytes = server_frame(0x01, b"he");
        bytes.extend(server_frame(0x89, b"p"));
        bytes.extend(server_frame(0x80, b"llo"));
        bytes.extend(server_frame(0x88, &[0x03, 0xe8, b'x']));
        let (seen, _) = read_all(&bytes, 3);
        assert_eq!(
            seen,
            [
                Wire::Ping(Bytes::from_static(b"p")),
                Wire::Text(Bytes::from_static(b"hello")),
                Wire::Close { code: 1000, reason: Bytes::from_static(b"x") },
            ]
        );
    }

    #[test]
    fn violations_are_told_apart() {
        let cases: [(Vec<u8>, Violation); 6] = [
            (server_frame(0x83, b""), Violation::Opcode(3)),
            (server_frame(0xc1, b""), Violation::ReservedBits),
            (vec![0x81, 0x80, 0, 0, 0, 0], Violation::Masked),
            (server_frame(0x80, b"x"), Violation::LooseContinuation),
            (server_frame(0x09, b"x"), Violation::FragmentedControl),
            (vec![0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0], Violation::TooLong),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read_all(&bytes, 64).1, Some(expected));
        }
    }

    #[test]
    fn our_frames_are_masked() {
        let mut out = Vec::new();
        encode(&Wire::Text(Bytes::from_static(b"hi")), [1, 2, 3, 4], &mut out);
        assert_eq!(out, [0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]);
        out.clear();
        encode(&Wire::Close { code: 1000, reason: Bytes::from_static(b"x") }, [0; 4], &mut out);
        encode(&Wire::Pong(Bytes::from_static(b"p")), [0; 4], &mut out);
        assert_eq!(out, [0x88, 0x83, 0, 0, 0, 0, 0x03, 0xe8, b'x', 0x8a, 0x81, 0, 0, 0, 0, b'p']);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), chunk in 1usize..50) {
            prop_assert_eq!(read_all(&bytes, chunk), read_all(&bytes, 1));
        }
    }
}
