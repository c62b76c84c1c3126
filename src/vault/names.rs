//! Names whose value is a secret: JSON members, header fields, query and form parameters.

use crate::model::SecretKind;

/// What a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The value is a secret wherever the name stands.
    Secret(SecretKind),
    /// Only as a query or form parameter: the word has a plain meaning elsewhere.
    Parameter(SecretKind),
    /// `Authorization` and its kin: a scheme and credentials.
    Authorization,
    /// Pairs of names and values.
    Cookie,
    /// One pair, then attributes.
    SetCookie,
}

/// Longer names are none that we know.
const LONGEST: usize = 64;

/// Page marks and the like: called tokens, and no secrets.
const HARMLESS: [&[u8]; 5] = [b"pagetoken", b"continuationtoken", b"synctoken", b"nexttoken", b"canceltoken"];

/// Looks a name up, in whatever style it is written: `accessToken`, `access_token`, `Access-Token`.
pub(super) fn role(name: &[u8]) -> Option<Role> {
    use Role::{Authorization, Parameter, Secret, SetCookie};
    use SecretKind::{AccessToken, ClientSecret, Jwt, Other, Password, RefreshToken, SessionToken, Signature};
    let mut buffer = [0; LONGEST];
    let mut len = 0;
    for b in name.iter().filter(|b| !matches!(b, b'_' | b'-')) {
        *buffer.get_mut(len)? = b.to_ascii_lowercase();
        len += 1;
    }
    let name = &buffer[..len];
    Some(match name {
        b"token" | b"sessiontoken" | b"guesttoken" | b"resumetoken" => Secret(SessionToken),
        b"accesstoken" | b"bearertoken" => Secret(AccessToken),
        b"refreshtoken" => Secret(RefreshToken),
        b"idtoken" | b"jwt" => Secret(Jwt),
        b"xamzsignature" | b"xamzcredential" | b"xamzsecuritytoken" | b"xgoogsignature" | b"xgoogcredential" => {
            Secret(Signature)
        }
        b"signature" | b"sig" => Parameter(Signature),
        b"credential" => Parameter(Other),
        b"authorization" | b"proxyauthorization" => Authorization,
        b"cookie" => Role::Cookie,
        b"setcookie" => SetCookie,
        b"pwd" | b"passphrase" => Secret(Password),
        b"codeverifier" => Secret(Other),
        _ if HARMLESS.iter().any(|end| name.ends_with(end)) => return None,
        _ if name.ends_with(b"clientsecret") => Secret(ClientSecret),
        _ if name.ends_with(b"password") || name.ends_with(b"passwd") => Secret(Password),
        _ if name.ends_with(b"token") || name.ends_with(b"secret") || name.ends_with(b"apikey") => Secret(Other),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_in_every_style() {
        for name in ["client_secret", "clientSecret", "Client-Secret", "CLIENT_SECRET"] {
            assert_eq!(role(name.as_bytes()), Some(Role::Secret(SecretKind::ClientSecret)), "{name}");
        }
        assert_eq!(role(b"X-Amz-Security-Token"), Some(Role::Secret(SecretKind::Signature)));
        assert_eq!(role(b"X-Auth-Token"), Some(Role::Secret(SecretKind::Other)));
    }

    #[test]
    fn names_that_only_resemble_one_are_none() {
        for name in ["token_type", "tokens", "JwtResponse", "x-amz-tagging", "nextPageToken", "code", "text", ""] {
            assert_eq!(role(name.as_bytes()), None, "{name}");
        }
        assert_eq!(role(&[b'a'; 200]), None);
    }
}
