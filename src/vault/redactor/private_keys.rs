//! Private keys in PEM, in all the forms in which they travel.

use base64::prelude::*;
use serde_json::json;

use super::Redactor;
use super::tests::{PEM, clean};

#[test]
fn a_private_key_is_one_secret_however_it_is_written() {
    let redactor = Redactor::default();
    let json = json!({ "a": [format!("{PEM}\n")], "b": 1 }).to_string();
    let nested = json!({ "text": json }).to_string();
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("kid", "k 1")
        .append_pair("key", &format!("{PEM}\r\n"))
        .append_pair("on", "1")
        .finish();
    for (text, wanted) in [
        (PEM.to_owned(), "[private-key#1]"),
        (format!("see:\n{PEM}\nand on"), "see:\n[private-key#1]\nand on"),
        (json, r#"{"a":["[private-key#1]\n"],"b":1}"#),
        (nested, r#"{"text":"{\"a\":[\"[private-key#1]\\n\"],\"b\":1}"}"#),
        (PEM.replace('\n', "\\n"), "[private-key#1]"),
    ] {
        assert_eq!(redactor.text(&text), wanted);
        assert_eq!(redactor.text(wanted), wanted);
    }
    assert_eq!(redactor.reveal("[private-key#1]").unwrap().expose(), PEM);
    assert_eq!(clean(&form), "kid=k+1&key=[private-key#1]%0D%0A&on=1");
    // What was learnt is found in base64 of it too.
    assert_eq!(redactor.text(&BASE64_STANDARD_NO_PAD.encode(PEM)), "[private-key#1]");
}

#[test]
fn every_kind_of_private_key_is_known() {
    let labels =
        ["RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"];
    for label in labels {
        let text = PEM.replace("PRIVATE KEY", label);
        assert_eq!(clean(&format!("<{text}>")), "<[private-key#1]>");
        assert_eq!(clean(&text.replace('\n', "\r\n  ")), "[private-key#1]");
        assert_eq!(clean(&text.replace('\n', " ")), "[private-key#1]");
        let headers = text.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,F8A0\n\n", 1);
        assert_eq!(clean(&headers), "[private-key#1]");
        assert_eq!(clean(&format!("client_secret={text}")), "client_secret=[private-key#1]");
    }
    assert_eq!(
        clean(&format!("{PEM}{PEM}\n{}", PEM.replace("MIIE", "MIIF"))),
        "[private-key#1][private-key#1]\n[private-key#2]"
    );
    // A name before it says that it is a secret as well.
    assert_eq!(clean(&json!({ "secret": PEM }).to_string()), r#"{"secret":"[secret#1]"}"#);
}

#[test]
fn a_private_key_that_is_cut_off_is_still_a_secret() {
    for end in [60, 92, 120, 150] {
        let cut = &PEM[..end];
        let line = cut.len() - cut.rfind('\n').unwrap() - 1;
        let rest = if line < 24 { cut[cut.len() - line - 1..].to_owned() } else { String::new() };
        assert_eq!(clean(cut), format!("[private-key#1]{rest}"), "{end}");
        let wanted = json!({ "key": format!("[private-key#1]{rest}"), "n": 1 }).to_string();
        let out = clean(&json!({ "key": cut, "n": 1 }).to_string());
        assert!(out == wanted || out == wanted.replace(&rest.replace('\n', "\\n"), ""), "{out}");
    }
    assert_eq!(clean(&format!("{}\nHTTP/1.1 200 OK", &PEM[..92])), "[private-key#1]\nHTTP/1.1 200 OK");
    let other = format!("{}-----BEGIN PUBLIC KEY-----\nMIIB\n", &PEM[..93]);
    assert_eq!(clean(&other), "[private-key#1]\n-----BEGIN PUBLIC KEY-----\nMIIB\n");
}

#[test]
fn words_about_keys_are_no_keys() {
    let public = PEM.replace("PRIVATE", "PUBLIC").replace("eyJ", "abc");
    for text in [
        "PKCS#8 is needed: -----BEGIN PRIVATE KEY-----.",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----- is where an internationalized key begins, -----END PRIVATE KEY----- where it ends",
        r#"{"begin":"-----BEGIN PRIVATE KEY-----","end":"-----END PRIVATE KEY-----"}"#,
        "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh",
        "a PRIVATE conversation",
        "PRIVATE",
        &public,
    ] {
        assert_eq!(clean(text), text);
    }
}
