//! Files of conversations: announced, uploaded, linked to, deleted.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::ids;
use crate::model::{Now, Wall};

/// An upload address is good for so long.
const UPLOAD_LIFE: Duration = Duration::from_secs(600);
/// Links remembered; enough that none in use is ever among the oldest.
const LINKS: usize = 10_000;
/// Files at once; a further one is refused.
const MANY: usize = 10_000;
/// Bytes of all files together; a further upload is refused.
const ROOM: u64 = 256 << 20;

#[derive(PartialEq, Eq)]
pub(super) enum Stage {
    /// An upload address was given out.
    Announced,
    Failed,
    Stored(Bytes),
}

impl Stage {
    /// As an agent is told of it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Announced => "uploading",
            Self::Failed => "invalid",
            Self::Stored(_) => "valid",
        }
    }
}

pub(super) struct File {
    pub(super) session: u32,
    /// Chosen by the client, or by the sandbox for what the partner sends.
    pub(super) attachment_id: String,
    pub(super) name: String,
    pub(super) mime: String,
    /// As announced; as it is once stored.
    pub(super) size: u64,
    pub(super) stage: Stage,
    /// A message refers to it: it can no longer be deleted.
    pub(super) sent: bool,
    /// The guest is not told of its upload.
    pub(super) by_agent: bool,
    /// Size and type come with its bytes.
    pub(super) any: bool,
    upload: Upload,
}

struct Upload {
    key: String,
    signature: String,
    /// Of `x-amz-tagging`; empty where no header is signed.
    tagging: String,
    until: Wall,
}

/// Headers that a PUT must carry, no more and no less.
fn signed(upload: &Upload) -> Vec<(String, String)> {
    let tagging = Some(&upload.tagging).filter(|t| !t.is_empty());
    tagging.map(|t| ("x-amz-tagging".to_owned(), t.clone())).into_iter().collect()
}

/// Where to upload to.
pub(super) struct Ticket {
    pub(super) url: String,
    /// Headers that the PUT must carry.
    pub(super) headers: Vec<(String, String)>,
}

/// Why an upload gets S3's 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PutRefused {
    /// Not this address, signature or headers.
    Signature,
    Expired,
    /// A second time, or of a file that is gone.
    Gone,
}

#[derive(Default)]
pub(super) struct Files {
    /// By session and attachment id.
    files: HashMap<(u32, String), File>,
    /// By key: whose, and until when.
    links: HashMap<String, (u32, String, Wall)>,
}

impl Files {
    pub(super) fn get(&self, session: u32, attachment_id: &str) -> Option<&File> {
        self.files.get(&(session, attachment_id.to_owned()))
    }

    pub(super) fn get_mut(&mut self, session: u32, attachment_id: &str) -> Option<&mut File> {
        self.files.get_mut(&(session, attachment_id.to_owned()))
    }

    /// Opens an upload and says where to and with which headers.
    pub(super) fn announce(
        &mut self,
        (session, attachment_id): (u32, &str),
        (name, mime, size): (&str, &str, u64),
        (base, organization): (&str, &str),
        now: Now,
    ) -> Ticket {
        let upload = Upload {
            key: ids::hex32(),
            signature: ids::hex32(),
            tagging: format!("organizationId={organization}&originPlatform=PureCloud"),
            until: now.wall + UPLOAD_LIFE,
        };
        let url = format!(
            "{base}/upload/{}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={}&X-Amz-SignedHeaders=host%3Bx-amz-tagging&X-Amz-Signature={}",
            upload.key,
            UPLOAD_LIFE.as_secs(),
            upload.signature
        );
        let headers = signed(&upload);
        let file = File {
            session,
            attachment_id: attachment_id.to_owned(),
            name: name.to_owned(),
            mime: mime.to_owned(),
            size,
            stage: Stage::Announced,
            sent: false,
            by_agent: false,
            any: false,
            upload,
        };
        self.files.insert((session, attachment_id.to_owned()), file);
        Ticket { url, headers }
    }

    /// Opens an upload of an agent of which nothing is known yet, and says where to.
    pub(super) fn announce_any(&mut self, (session, attachment_id): (u32, &str), base: &str, now: Now) -> String {
        let upload = Upload {
            key: ids::hex32(),
            signature: ids::hex32(),
            tagging: String::new(),
            until: now.wall + UPLOAD_LIFE,
        };
        let url = format!(
            "{base}/upload/{}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={}&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
            upload.key,
            UPLOAD_LIFE.as_secs(),
            upload.signature
        );
        let file = File {
            session,
            attachment_id: attachment_id.to_owned(),
            name: "file".to_owned(),
            mime: "application/octet-stream".to_owned(),
            size: 0,
            stage: Stage::Announced,
            sent: false,
            by_agent: true,
            any: true,
            upload,
        };
        self.files.insert((session, attachment_id.to_owned()), file);
        url
    }

    /// The file that a PUT is for. `given` are the request's headers whose names begin with `x-amz-`.
    pub(super) fn upload(
        &mut self,
        key: &str,
        signature: Option<&str>,
        given: &[(String, String)],
        now: Now,
    ) -> Result<&mut File, PutRefused> {
        let Some(file) = self.files.values_mut().find(|f| f.upload.key == key) else {
            return Err(PutRefused::Gone);
        };
        if signature != Some(file.upload.signature.as_str()) || given != signed(&file.upload) {
            return Err(PutRefused::Signature);
        }
        if file.upload.until <= now.wall {
            return Err(PutRefused::Expired);
        }
        if file.stage != Stage::Announced {
            return Err(PutRefused::Gone);
        }
        Ok(file)
    }

    pub(super) fn is_full(&self) -> bool {
        self.files.len() >= MANY
    }

    /// True where so many bytes more would still fit.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let stored: u64 = self
            .files
            .values()
            .map(|f| match &f.stage {
                Stage::Stored(b) => b.len() as u64,
                _ => 0,
            })
            .sum();
        stored + bytes <= ROOM
    }

    /// Keeps a file that the partner sends; its attachment id.
    pub(super) fn keep(&mut self, session: u32, name: &str, mime: &str, bytes: Bytes) -> String {
        let attachment_id = ids::uuid();
        let file = File {
            session,
            attachment_id: attachment_id.clone(),
            name: name.to_owned(),
            mime: mime.to_owned(),
            size: bytes.len() as u64,
            stage: Stage::Stored(bytes),
            sent: true,
            by_agent: false,
            any: false,
            upload: Upload {
                key: String::new(),
                signature: String::new(),
                tagging: String::new(),
                until: Wall::default(),
            },
        };
        self.files.insert((session, attachment_id.clone()), file);
        attachment_id
    }

    /// A download link that goes stale at `until`.
    pub(super) fn link(&mut self, base: &str, session: u32, attachment_id: &str, until: Wall) -> String {
        if self.links.len() >= LINKS
            && let Some(key) = self.links.iter().min_by_key(|(_, l)| l.2).map(|(k, _)| k.clone())
        {
            self.links.remove(&key);
        }
        let key = ids::hex32();
        let url = format!("{base}/dl/{key}?X-Amz-Signature={}", ids::hex32());
        self.links.insert(key, (session, attachment_id.to_owned(), until));
        url
    }

    /// What a link leads to, unless it is stale.
    pub(super) fn follow(&self, key: &str, now: Now) -> Option<&File> {
        let (session, attachment_id, until) = self.links.get(key)?;
        if *until <= now.wall {
            return None;
        }
        self.get(*session, attachment_id)
    }

    pub(super) fn make_stale(&mut self) {
        self.links.clear();
    }

    pub(super) fn delete(&mut self, session: u32, attachment_id: &str) {
        self.files.remove(&(session, attachment_id.to_owned()));
    }

    pub(super) fn forget_session(&mut self, session: u32) {
        self.files.retain(|(s, _), _| *s != session);
        self.links.retain(|_, (s, ..)| *s != session);
    }

    pub(super) fn prune(&mut self, now: Now) {
        self.links.retain(|_, (.., until)| *until > now.wall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mono;

    fn at(secs: i64) -> Now {
        Now { wall: Wall::from_secs(secs), mono: Mono(secs as u64 * 1_000_000) }
    }

    fn parts(ticket: &Ticket) -> (String, String) {
        let url = url::Url::parse(&ticket.url).unwrap();
        let key = url.path().trim_start_matches("/upload/").to_owned();
        let sig = url.query_pairs().find(|(k, _)| k == "X-Amz-Signature").unwrap().1.into_owned();
        (key, sig)
    }

    #[test]
    fn an_upload_needs_exactly_the_signed_headers_once_and_in_time() {
        let mut files = Files::default();
        let ticket = files.announce((1, "b1"), ("a.png", "image/png", 3), ("http://h", "org"), at(0));
        let (key, sig) = parts(&ticket);
        let good = ticket.headers.clone();
        let refused = |files: &mut Files, sig: Option<&str>, headers: &[(String, String)], t| {
            files.upload(&key, sig, headers, at(t)).err()
        };
        assert_eq!(refused(&mut files, None, &good, 1), Some(PutRefused::Signature));
        assert_eq!(refused(&mut files, Some(&sig), &[], 1), Some(PutRefused::Signature));
        let mut more = good.clone();
        more.push(("x-amz-acl".into(), "private".into()));
        assert_eq!(refused(&mut files, Some(&sig), &more, 1), Some(PutRefused::Signature));
        assert_eq!(refused(&mut files, Some(&sig), &good, 600), Some(PutRefused::Expired));
        files.upload(&key, Some(&sig), &good, at(599)).unwrap().stage = Stage::Stored(Bytes::from_static(b"abc"));
        assert_eq!(refused(&mut files, Some(&sig), &good, 599), Some(PutRefused::Gone));
    }

    #[test]
    fn a_link_goes_stale() {
        let mut files = Files::default();
        let id = files.keep(1, "a.txt", "text/plain", Bytes::from_static(b"x"));
        let url = files.link("http://h", 1, &id, Wall::from_secs(600));
        let key = url::Url::parse(&url).unwrap().path().trim_start_matches("/dl/").to_owned();
        assert!(files.follow(&key, at(599)).is_some());
        assert!(files.follow(&key, at(600)).is_none());
        files.make_stale();
        assert!(files.follow(&key, at(1)).is_none());
    }
}
