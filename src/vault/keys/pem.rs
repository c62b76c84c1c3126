//! PEM (RFC 7468): labelled base64 between dashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::model::Secret;

/// Longer texts are no key.
const LONGEST: usize = 64 * 1024;
/// Bytes in one line of base64.
const LINE: usize = 48;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLong,
    NotText,
    NoBlock,
    /// Something stands before the first block.
    Before,
    /// Something stands after the last block.
    After,
    /// A block does not end, or with another label.
    NoEnd,
    /// `\n` in letters instead of line breaks.
    Escaped,
    /// Lines `Name: value` before the base64.
    Headers {
        encrypted: bool,
    },
    NotBase64,
}

pub(super) struct Block<'a> {
    pub label: &'a str,
    body: &'a str,
}

/// All blocks of a text that holds nothing else. Line breaks need not be where they belong: a field of one line takes
/// them away.
pub(super) fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::TooLong);
    }
    let text = std::str::from_utf8(text).map_err(|_| Fault::NotText)?;
    if text.contains(BEGIN) && text.contains("\\n") {
        return Err(Fault::Escaped);
    }
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let Some(after) = rest.strip_prefix(BEGIN) else {
            return Err(match (found.is_empty(), rest.contains(BEGIN)) {
                (false, _) => Fault::After,
                (true, true) => Fault::Before,
                (true, false) => Fault::NoBlock,
            });
        };
        let (label, after) = after.split_once(DASHES).ok_or(Fault::NoEnd)?;
        if label.len() > 40 || !label.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ') {
            return Err(Fault::NoBlock);
        }
        let (body, after) = after.split_once(END).ok_or(Fault::NoEnd)?;
        let (end, after) = after.split_once(DASHES).ok_or(Fault::NoEnd)?;
        if end != label || body.contains(DASHES) {
            return Err(Fault::NoEnd);
        }
        found.push(Block { label, body });
        rest = after.trim_start();
    }
    if found.is_empty() { Err(Fault::NoBlock) } else { Ok(found) }
}

impl Block<'_> {
    pub fn headers(&self) -> Option<Fault> {
        self.body.contains(':').then(|| Fault::Headers { encrypted: self.body.contains("ENCRYPTED") })
    }

    pub fn decode(&self) -> Result<Secret<Vec<u8>>, Fault> {
        if let Some(fault) = self.headers() {
            return Err(fault);
        }
        // Grown once: what is wiped later shall not lie in buffers that were left behind.
        let mut bare = Zeroizing::new(String::with_capacity(self.body.len()));
        bare.extend(self.body.chars().filter(|c| !c.is_ascii_whitespace()));
        STANDARD.decode(bare.as_bytes()).map(Secret::new).map_err(|_| Fault::NotBase64)
    }
}

pub(super) fn write(label: &str, der: &[u8]) -> Secret<String> {
    let lines = der.len().div_ceil(LINE);
    let mut out = String::with_capacity(lines * (LINE / 3 * 4 + 1) + 2 * (label.len() + END.len() + DASHES.len() + 3));
    out.extend([BEGIN, label, DASHES, "\n"]);
    for line in der.chunks(LINE) {
        STANDARD.encode_string(line, &mut out);
        out.push('\n');
    }
    out.extend([END, label, DASHES, "\n"]);
    Secret::new(out)
}
