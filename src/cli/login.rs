//! How a script signs a guest in.

use serde::Deserialize;

use crate::model::Secret;
use crate::model::login::Login;

/// `{sandbox: ada}` asks the sandbox's identity provider for a code, or with `implicit: true` for an id token. A `code`
/// or an `id_token` of another provider can be given instead.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    sandbox: Option<String>,
    implicit: bool,
    code: Option<Hidden>,
    verifier: Option<Hidden>,
    id_token: Option<Hidden>,
    nonce: Option<String>,
}

/// A secret in a script: it does not show itself in errors.
struct Hidden(Secret<String>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(|s| Self(Secret::new(s)))
    }
}

/// A [`Login`] as it stands in a script.
#[derive(Clone, Debug)]
pub struct AnyLogin(pub Login);

impl<'de> Deserialize<'de> for AnyLogin {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Written { sandbox, implicit, code, verifier, id_token, nonce } = Written::deserialize(d)?;
        let given = [sandbox.is_some(), code.is_some(), id_token.is_some()];
        if given.iter().filter(|g| **g).count() != 1 {
            return Err(serde::de::Error::custom("sign-in: write one of sandbox, code and id_token"));
        }
        Ok(Self(match (sandbox, code, id_token) {
            (Some(person), ..) => Login::Sandbox { person, implicit },
            (_, Some(code), _) => Login::Code { code: code.0, verifier: verifier.map(|v| v.0), nonce },
            (.., Some(token)) => Login::IdToken { token: token.0, nonce },
            _ => Login::Sandbox { person: String::new(), implicit },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_to_sign_in_is_named_and_secrets_do_not_show() {
        let read = |text: &str| serde_json::from_str::<AnyLogin>(text);
        assert_eq!(
            read(r#"{"sandbox":"ada","implicit":true}"#).unwrap().0,
            Login::Sandbox { person: "ada".into(), implicit: true }
        );
        let code = read(r#"{"code":"hunter2-code","verifier":"hunter2-v","nonce":"n"}"#).unwrap();
        assert!(
            matches!(&code.0, Login::Code { nonce: Some(n), .. } if n == "n")
                && !format!("{code:?}").contains("hunter2")
        );
        for text in ["{}", r#"{"sandbox":"a","code":"hunter2"}"#, r#"{"cod":"hunter2"}"#, r#"{"nonce":"n"}"#] {
            let error = read(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
