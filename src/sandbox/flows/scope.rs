//! Scopes of the OAuth client and of its tokens.

/// All that the sandbox knows of.
const SCOPES: [&str; 11] = [
    "webmessaging:conversation:write",
    "externalcontacts:create",
    "conversations:messaging",
    "conversation:write",
    "conversation:view",
    "webchat:write",
    "guest:create",
    "guest:read",
    "webchat:send",
    "user:read",
    "routing:queue:view",
];

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct Scopes(u16);

impl Scopes {
    pub(in crate::sandbox) const NONE: Self = Self(0);
    pub(in crate::sandbox) const ALL: Self = Self((1 << SCOPES.len()) - 1);

    /// Those words that are scopes.
    pub(in crate::sandbox) fn known<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        words.into_iter().fold(Self::NONE, |all, word| Self(all.0 | Self::bit(word).unwrap_or(0)))
    }

    fn bit(word: &str) -> Option<u16> {
        SCOPES.iter().position(|s| *s == word).map(|k| 1 << k)
    }

    pub(in crate::sandbox) fn is_known(word: &str) -> bool {
        Self::bit(word).is_some()
    }

    pub(in crate::sandbox) fn has(self, word: &str) -> bool {
        Self::bit(word).is_some_and(|bit| self.0 & bit != 0)
    }

    pub(in crate::sandbox) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(in crate::sandbox) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    pub(in crate::sandbox) fn names(self) -> Vec<&'static str> {
        SCOPES.iter().filter(|s| self.has(s)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        let some = Scopes::known(["guest:read", "nonsense", "user:read"]);
        assert_eq!(some.names(), ["guest:read", "user:read"]);
        assert!(some.has("user:read") && !some.has("guest:create") && !some.has("nonsense"));
        assert_eq!(some.and(Scopes::known(["user:read", "guest:create"])).names(), ["user:read"]);
        assert_eq!(Scopes::ALL.names(), SCOPES);
        assert!(Scopes::known(["nonsense"]).is_empty());
    }
}
