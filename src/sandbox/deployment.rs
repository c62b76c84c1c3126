//! The one deployment of a sandbox: its switches, and the limits that hold in it.

use serde::{Deserialize, Serialize};

use super::change::change;
use super::frame::{AllowedMedia, Configuration, FileType, Inbound};
use crate::model::environment::Limits;

/// What happens when the agent ends a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisconnectMode {
    /// The guest is not told.
    Off,
    /// The guest is told and may go on.
    Send,
    /// The guest is told, and must start anew.
    #[default]
    ReadOnly,
}

/// Who answers guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partner {
    /// People, where somebody is on queue when the conversation begins, or when the guest says “agent”; otherwise the
    /// scripted partner.
    #[default]
    Auto,
    /// The scripted partner only.
    Bot,
    /// People only: a conversation waits in the queue until somebody comes.
    Agents,
}

/// Switches of the deployment. A [`DeploymentChange`] has the same names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub active: bool,
    pub allow_all_domains: bool,
    /// Host names; each stands for itself and what ends in it after a dot.
    pub allowed_domains: Vec<String>,
    /// The client shall send a Join after a new session.
    pub auto_start: bool,
    pub conversation_clear: bool,
    pub conversation_disconnect: DisconnectMode,
    /// The guest may show that it types.
    pub typing: bool,
    pub file_upload: bool,
    pub max_file_size_kb: u32,
    /// MIME types; `*/*` and `image/*` work.
    pub file_types: Vec<String>,
    /// With their dot.
    pub blocked_extensions: Vec<String>,
    /// Life of a session without a message.
    pub session_secs: u32,
    /// Life of a download link.
    pub link_secs: u32,
    /// A connection without a frame for so long is closed with 1001. The vendor's value is not known; this is that
    /// of the gateway which it looks like.
    pub idle_secs: u32,
    /// A connection so old is closed with 1001. As above.
    pub connection_secs: u32,
    /// Guests may sign in.
    pub auth_enabled: bool,
    /// A guest's session may become that of one who has signed in.
    pub auth_allow_session_upgrade: bool,
    /// Life of the JWT of a guest who has signed in. The vendor's is not known.
    pub auth_jwt_secs: u32,
    /// Each refresh gives another refresh token, and ends the one that it was for.
    pub auth_refresh_rotates: bool,
    #[serde(default)]
    pub partner: Partner,
}

impl Deployment {
    pub(super) fn new(session_secs: u32) -> Self {
        Self {
            active: true,
            allow_all_domains: true,
            allowed_domains: Vec::new(),
            auto_start: true,
            conversation_clear: true,
            conversation_disconnect: DisconnectMode::default(),
            typing: true,
            file_upload: true,
            max_file_size_kb: 10_240,
            file_types: vec!["*/*".to_owned()],
            blocked_extensions: [".exe", ".bat", ".cmd", ".com", ".js", ".msi", ".ps1", ".scr", ".vbs"]
                .map(str::to_owned)
                .to_vec(),
            session_secs,
            link_secs: 600,
            idle_secs: 600,
            connection_secs: 7200,
            auth_enabled: true,
            auth_allow_session_upgrade: true,
            auth_jwt_secs: 900,
            auth_refresh_rotates: false,
            partner: Partner::default(),
        }
    }

    /// Whether a page of this host may use the deployment: host name only, whatever the case, exact or a subdomain.
    pub(super) fn allows_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.allow_all_domains
            || self.allowed_domains.iter().any(|d| {
                let d = d.trim().to_ascii_lowercase();
                !d.is_empty() && (host == d || host.strip_suffix(&d).is_some_and(|rest| rest.ends_with('.')))
            })
    }

    pub(super) fn allows_type(&self, mime: &str) -> bool {
        let mime = mime.to_ascii_lowercase();
        self.file_types.iter().any(|t| {
            let t = t.to_ascii_lowercase();
            t == "*/*" || t == mime || t.strip_suffix('*').is_some_and(|family| mime.starts_with(family))
        })
    }

    pub(super) fn media(&self) -> AllowedMedia {
        AllowedMedia {
            inbound: Inbound {
                file_types: self.file_types.iter().map(|kind| FileType { kind: kind.clone() }).collect(),
                max_file_size_kb: self.max_file_size_kb,
            },
        }
    }

    pub(super) fn configuration(&self, limits: &Limits) -> Configuration {
        Configuration {
            allowed_media: self.media(),
            blocked_extensions: self.blocked_extensions.clone(),
            max_custom_data_bytes: limits.attribute_bytes,
            message_routing_enabled: true,
            session_duration_seconds: self.session_secs,
        }
    }
}

change! {
    /// Switches to change; what is left out stays.
    DeploymentChange of Deployment {
        active: bool,
        allow_all_domains: bool,
        allowed_domains: Vec<String>,
        auto_start: bool,
        conversation_clear: bool,
        conversation_disconnect: DisconnectMode,
        typing: bool,
        file_upload: bool,
        max_file_size_kb: u32,
        file_types: Vec<String>,
        blocked_extensions: Vec<String>,
        session_secs: u32,
        link_secs: u32,
        idle_secs: u32,
        connection_secs: u32,
        auth_enabled: bool,
        auth_allow_session_upgrade: bool,
        auth_jwt_secs: u32,
        auth_refresh_rotates: bool,
        partner: Partner,
    }
}

change! {
    /// Limits to change; what is left out stays.
    LimitChange of Limits {
        messages_per_second: u32,
        requests_per_minute: u32,
        configures_per_minute: u32,
        history_per_minute: u32,
        echoes_per_minute: u32,
        connections_per_session: u32,
        message_bytes: u32,
        attribute_bytes: u32,
        requests_per_token_minute: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allow_list_takes_hosts_and_their_subdomains() {
        let mut d = Deployment::new(60);
        assert!(d.allows_host("anything"));
        d.allow_all_domains = false;
        assert!(!d.allows_host("example.com"), "an empty list blocks all");
        d.allowed_domains = vec!["Example.com".into()];
        assert!(d.allows_host("example.com") && d.allows_host("shop.EXAMPLE.com"));
        assert!(!d.allows_host("badexample.com") && !d.allows_host("example.com.evil.org") && !d.allows_host(""));
    }

    #[test]
    fn file_types_match_by_family() {
        let mut d = Deployment::new(60);
        assert!(d.allows_type("image/tiff"));
        d.file_types = vec!["image/*".into(), "text/plain".into()];
        assert!(d.allows_type("IMAGE/png") && d.allows_type("text/plain") && !d.allows_type("text/html"));
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let mut d = Deployment::new(60);
        let before = d.clone();
        DeploymentChange { auto_start: Some(false), ..DeploymentChange::default() }.apply(&mut d);
        assert!(!d.auto_start);
        d.auto_start = true;
        assert_eq!(d, before);
    }
}
