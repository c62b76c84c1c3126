//! Keys go out and come in; whatever else comes in is refused for the right reason.

use proptest::prelude::*;

use super::super::pem;
use super::super::{PublicKey, SigningKey};
use super::{PAIRS, fixture};
use crate::model::Report;

const A2: &str = fixture!("rfc7515-a2");
const A2_PUBLIC: &str = fixture!("rfc7515-a2-public");

fn refused(text: impl AsRef<[u8]>) -> Report {
    SigningKey::from_pem(text.as_ref()).unwrap_err()
}

fn refused_public(text: impl AsRef<[u8]>) -> Report {
    PublicKey::read(text.as_ref()).unwrap_err()
}

/// The bytes within a PEM file.
fn der(text: &str) -> Vec<u8> {
    pem::blocks(text.as_bytes()).ok().unwrap()[0].decode().unwrap().expose().clone()
}

fn private_pem(der: &[u8]) -> String {
    pem::write("PRIVATE KEY", der).expose().clone()
}

#[test]
fn a_new_key_goes_out_and_comes_in_again() {
    let [one, other] = &*PAIRS;
    let text = one.to_pem().unwrap();
    assert!(text.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(text.expose().ends_with("\n-----END PRIVATE KEY-----\n"));
    assert!(text.expose().lines().all(|line| line.len() <= 64));
    let back = SigningKey::from_pem(text.expose().as_bytes()).unwrap();
    assert_eq!(back.public(), one.public());
    assert_eq!(back.to_pem().unwrap(), text);
    assert_ne!(one.public(), other.public());
    assert_ne!(one.public().fingerprint(), other.public().fingerprint());
}

#[test]
fn keys_of_openssl_are_read_and_written_as_openssl_writes_them() {
    let key = SigningKey::from_pem(A2.as_bytes()).unwrap();
    assert_eq!(key.to_pem().unwrap().expose(), A2);
    assert_eq!(key.public().to_pem(), A2_PUBLIC);
    // openssl pkey -pubin -outform DER | sha256sum
    let fingerprint = "6fd13c2435a361e7c588cd17f55f5ad3df0177a66c1727a6a200845f4d7ab88c";
    assert_eq!(key.public().fingerprint(), fingerprint);
    for public in [A2_PUBLIC.as_bytes(), &der(A2_PUBLIC)] {
        assert_eq!(PublicKey::read(public).unwrap(), *key.public());
    }
}

#[test]
fn line_breaks_may_have_suffered() {
    let wanted = SigningKey::from_pem(A2.as_bytes()).unwrap();
    let spaced: String = A2.lines().map(|line| format!("  {line}\t\r\n\r\n")).collect();
    for text in
        [A2.replace('\n', "\r\n"), A2.replace('\n', " "), format!("\u{feff}\n{A2}\n\n"), A2.trim().into(), spaced]
    {
        assert_eq!(SigningKey::from_pem(text.as_bytes()).unwrap().public(), wanted.public(), "{text:?}");
    }
}

#[test]
fn the_stored_form_fits_into_every_keyring() {
    // The Credential Manager of Windows takes at most so many bytes.
    assert!(PAIRS.iter().all(|key| key.to_pem().unwrap().expose().len() < 2560));
}

#[test]
fn nothing_prints_a_private_part() {
    let text = format!("{:?} {:?}", PAIRS[0], PAIRS[0].to_pem());
    assert_eq!(text, format!("SigningKey(…, PublicKey({})) Ok(Secret(…))", PAIRS[0].public().fingerprint()));
}

#[test]
fn what_is_no_private_key_is_refused_for_its_reason() {
    let two = format!("{A2}{A2}");
    let both = format!("{A2}{A2_PUBLIC}");
    let cases = [
        (fixture!("rsa-pkcs1"), "key-pkcs1", "openssl pkcs8 -topk8 -nocrypt"),
        (fixture!("rsa-pkcs1-encrypted"), "key-encrypted", "passphrase"),
        (fixture!("rsa-encrypted"), "key-encrypted", "passphrase"),
        (A2_PUBLIC, "key-public", "-----BEGIN PRIVATE KEY-----"),
        (fixture!("rsa-public-pkcs1"), "key-public", "Signing needs the private one"),
        (fixture!("ec"), "key-not-rsa", "elliptic-curve"),
        (fixture!("ec-sec1"), "key-not-rsa", "elliptic-curve"),
        (fixture!("ed25519"), "key-not-rsa", "Ed25519"),
        (fixture!("rsa-pss"), "key-not-rsa", "RSA-PSS"),
        (fixture!("rsa-1024"), "key-too-short", "1024 bits"),
        (&two, "key-several", "2 blocks"),
        (&both, "key-several", "PRIVATE KEY, PUBLIC KEY"),
        (&format!("{A2}and more"), "key-trailing", "after the line that ends"),
        (&format!("my key:\n{A2}"), "key-trailing", "before the line that begins"),
        (&A2[..A2.len() - 30], "key-cut-off", "does not end"),
        (&A2.replace("END PRIVATE", "END PUBLIC"), "key-cut-off", "of the same name"),
        (&A2.replacen("-----END", "-----BEGIN", 1), "key-cut-off", "does not end"),
        (&A2.replace('\n', "\\n"), "key-escaped", "line breaks"),
        (&A2.replacen("MIIE", "MI!E", 1), "key-damaged", "not base64"),
        (&A2.replacen("-----\n", "-----\nComment: mine\n\n", 1), "key-headers", "header lines"),
        ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "key-damaged", "sound RSA key"),
        ("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n", "key-other", "CERTIFICATE"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "key-openssh", "ssh-keygen"),
        ("", "key-not-pem", "first dash"),
        ("hunter2", "key-not-pem", "PEM block"),
    ];
    for (text, code, says) in cases {
        let report = refused(text);
        assert_eq!(report.code, code, "{}\n{text}", report.text());
        assert!(report.text().contains(says), "{}", report.text());
        assert!(!report.remedies.is_empty(), "{}", report.text());
    }
    assert!(refused(der(A2)).text().contains("-inform DER"));
    assert_eq!(refused(vec![b' '; 70_000]).code, "key-too-long");
    assert!(!refused("hunter2").text().contains("hunter2"), "what was pasted may be any secret");
}

#[test]
fn what_is_no_public_key_is_refused_for_its_reason() {
    let two = format!("{A2_PUBLIC}{A2_PUBLIC}");
    let cases = [
        (A2, "key-private", "-pubout"),
        (fixture!("rsa-pkcs1"), "key-private", "-pubout"),
        (fixture!("rsa-encrypted"), "key-private", "-pubout"),
        (fixture!("rsa-public-pkcs1"), "key-pkcs1", "-RSAPublicKey_in"),
        (fixture!("ec-public"), "key-not-rsa", "elliptic-curve"),
        (fixture!("rsa-1024-public"), "key-too-short", "1024 bits"),
        (&two, "key-several", "2 blocks"),
        (&format!("{A2_PUBLIC}x"), "key-trailing", "after the line"),
        ("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n", "key-certificate", "openssl x509"),
        ("0", "key-not-pem", "-----BEGIN PUBLIC KEY-----"),
    ];
    for (text, code, says) in cases {
        let report = refused_public(text);
        assert_eq!(report.code, code, "{}\n{text}", report.text());
        assert!(report.text().contains(says), "{}", report.text());
    }
    let mut longer = der(A2_PUBLIC);
    longer.push(0);
    assert_eq!(refused_public(&longer).code, "key-trailing");
    assert_eq!(refused_public(der(A2)).code, "key-damaged");
}

#[test]
fn bytes_behind_the_key_within_its_block_are_refused() {
    let mut longer = der(A2);
    longer.extend_from_slice(b"rubbish");
    assert_eq!(refused(private_pem(&longer)).code, "key-trailing");
}

#[test]
fn a_key_whose_numbers_do_not_fit_is_refused() {
    let whole = der(A2);
    for at in [300, 600, 900, 1100] {
        let mut wrong = whole.clone();
        wrong[at] ^= 1;
        assert_eq!(refused(private_pem(&wrong)).code, "key-damaged", "changed at {at}");
    }
}

/// A structure of DER around `inner`.
fn element(tag: u8, inner: &[u8]) -> Vec<u8> {
    let len = u16::try_from(inner.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, len[0], len[1]], inner].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(SigningKey::from_pem(&bytes).is_err());
        prop_assert!(PublicKey::read(&bytes).is_err());
        let sequence = element(0x30, &bytes);
        prop_assert!(PublicKey::read(&sequence).is_err());
        prop_assert!(SigningKey::from_pem(private_pem(&bytes).as_bytes()).is_err());
    }

    #[test]
    fn any_text_is_refused(text in "(-----(BEGIN|END) [A-Z ]{0,12}-----|[ -~\\n]{0,9}|é|MII[A-Za-z0-9+/]{0,9}={0,2}){0,8}") {
        prop_assert!(SigningKey::from_pem(text.as_bytes()).is_err());
        prop_assert!(PublicKey::read(text.as_bytes()).is_err());
    }

    #[test]
    fn any_rubbish_in_the_right_wrapping_is_refused(n in proptest::collection::vec(any::<u8>(), 250..270), rest in proptest::collection::vec(any::<u8>(), 0..200)) {
        const RSA: &[u8] = &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        let numbers = element(0x30, &[&[2, 1, 0][..], &element(2, &n), &rest].concat());
        let private = element(0x30, &[&[2, 1, 0], RSA, &element(4, &numbers)].concat());
        prop_assert!(SigningKey::from_pem(private_pem(&private).as_bytes()).is_err());
        let numbers = element(0x30, &[&element(2, &n)[..], &rest].concat());
        let public = element(0x30, &[RSA, &element(3, &[&[0], &numbers[..]].concat())].concat());
        prop_assert!(PublicKey::read(&public).is_err());
    }

    #[test]
    fn a_damaged_file_gives_the_same_key_or_none(at in 0..A2.len(), cut in 0..3usize, put in "[ -~\\n]{0,3}") {
        let end = (at + cut).min(A2.len());
        let text = format!("{}{put}{}", &A2[..at], &A2[end..]);
        if let Ok(key) = SigningKey::from_pem(text.as_bytes()) {
            prop_assert_eq!(key.public().to_pem(), A2_PUBLIC);
        }
    }
}
