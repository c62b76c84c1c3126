//! Why a key is not taken, and how to make one that is. No report holds a part of a key.

use super::{der, pem};
use crate::model::Report;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Private,
    Public,
}

impl Want {
    pub fn label(self) -> &'static str {
        match self {
            Self::Private => "PRIVATE KEY",
            Self::Public => "PUBLIC KEY",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Private => "This private key cannot be imported",
            Self::Public => "This public key cannot be read",
        }
    }

    /// How to get one.
    fn remedy(self) -> &'static str {
        match self {
            Self::Private => "Make one: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem",
            Self::Public => "Take it from the private key: openssl pkey -in key.pem -pubout",
        }
    }

    fn refuse(self, code: &str, what: impl Into<String>) -> Report {
        Report::new(code, self.title(), what)
    }

    pub fn pem(self, fault: &pem::Fault) -> Report {
        let wanted = format!("-----BEGIN {}-----", self.label());
        match fault {
            pem::Fault::TooLong => {
                self.refuse("key-too-long", "It is longer than 64 KiB; no key is.").remedy(self.remedy())
            }
            pem::Fault::NotText => self
                .refuse("key-not-pem", format!("It is not text. A PEM file is needed, which begins with {wanted}."))
                .remedy(
                    "From DER: openssl pkey -inform DER -in key.der -out key.pem (-pubin and -pubout if it is public)",
                ),
            pem::Fault::NoBlock => self
                .refuse("key-not-pem", format!("It does not hold a PEM block, which begins with {wanted}."))
                .remedy("Paste all of the file, from the first dash to the last."),
            pem::Fault::Before => self
                .refuse("key-trailing", "There is other text before the line that begins the key.")
                .remedy("Keep only what stands from the BEGIN line to the END line."),
            pem::Fault::After => self
                .refuse("key-trailing", "There is other text after the line that ends the key.")
                .remedy("Keep only what stands from the BEGIN line to the END line."),
            pem::Fault::NoEnd => self
                .refuse("key-cut-off", "A block begins and does not end with an END line of the same name.")
                .remedy("Paste all of the file, from the first dash to the last."),
            pem::Fault::Escaped => self
                .refuse("key-escaped", "Its line breaks are written as \\n, as in JSON.")
                .remedy("Replace each \\n by a line break."),
            pem::Fault::Headers { encrypted: true } => self.encrypted(),
            pem::Fault::Headers { encrypted: false } => self
                .refuse("key-headers", "There are header lines (Name: value) within the block; this form is not read.")
                .remedy("Convert it: openssl pkey -in key.pem -out new.pem"),
            pem::Fault::NotBase64 => self
                .refuse("key-damaged", "What stands between the BEGIN and the END line is not base64.")
                .remedy("Copy the key again; a character is missing or was changed."),
        }
    }

    pub fn encrypted(self) -> Report {
        self.refuse("key-encrypted", "It is protected by a passphrase. Sessionscope keeps keys in the keyring instead.")
            .remedy("Take the passphrase off: openssl pkey -in key.pem -out open.pem, import that, then delete it.")
    }

    pub fn several(self, labels: &[&str]) -> Report {
        self.refuse("key-several", format!("There are {} blocks in it; one is needed.", labels.len()))
            .remedy("Keep only the block of the key that is meant.")
            .detail(format!("found: {}", labels.join(", ")))
    }

    /// A PEM block of another kind.
    pub fn label_of(self, label: &str, encrypted: bool) -> Report {
        let private = label.contains("PRIVATE KEY");
        match label {
            "EC PRIVATE KEY" | "EC PARAMETERS" => self.algorithm("an elliptic-curve (EC) key"),
            "DSA PRIVATE KEY" => self.algorithm("a DSA key"),
            "PUBLIC KEY" | "RSA PUBLIC KEY" if self == Self::Private => self
                .refuse("key-public", "It is a public key. Signing needs the private one.")
                .remedy("Choose the file that begins with -----BEGIN PRIVATE KEY-----."),
            _ if private && self == Self::Public => self
                .refuse("key-private", "It is a private key. Only its public part belongs here.")
                .remedy(self.remedy()),
            "RSA PUBLIC KEY" => self
                .refuse("key-pkcs1", "It is in the older form (PKCS#1); SPKI is needed: -----BEGIN PUBLIC KEY-----.")
                .remedy("Convert it: openssl rsa -RSAPublicKey_in -in old.pem -pubout -out new.pem"),
            _ if encrypted || label == "ENCRYPTED PRIVATE KEY" => self.encrypted(),
            "RSA PRIVATE KEY" => self
                .refuse("key-pkcs1", "It is in the older form (PKCS#1); PKCS#8 is needed: -----BEGIN PRIVATE KEY-----.")
                .remedy("Convert it: openssl pkcs8 -topk8 -nocrypt -in old.pem -out new.pem"),
            "OPENSSH PRIVATE KEY" => self
                .refuse("key-openssh", "It is in the form of OpenSSH; PKCS#8 is needed: -----BEGIN PRIVATE KEY-----.")
                .remedy("Convert a copy of it: ssh-keygen -p -N '' -m PKCS8 -f copy-of-key"),
            "CERTIFICATE" if self == Self::Public => self
                .refuse("key-certificate", "It is a certificate. Its public key is needed.")
                .remedy("Take it out: openssl x509 -in certificate.pem -pubkey -noout"),
            _ => self
                .refuse("key-other", format!("It is a block \"{label}\"; \"{}\" is needed.", self.label()))
                .remedy(self.remedy()),
        }
    }

    pub fn der(self, fault: &der::Fault) -> Report {
        match fault {
            der::Fault::Trailing => self
                .refuse("key-trailing", "Other bytes follow the key within its block.")
                .remedy("Copy the key again, or convert it: openssl pkey -in key.pem -out new.pem"),
            der::Fault::Damaged => self.damaged("not the expected structure"),
            der::Fault::Algorithm(name) => self.algorithm(name),
        }
    }

    pub fn damaged(self, why: &str) -> Report {
        self.refuse("key-damaged", "It has the right label, but what it holds is not a sound RSA key.")
            .remedy("Copy the key again; a character is missing or was changed.")
            .remedy(self.remedy())
            .detail(why)
    }

    pub fn size(self, bits: usize) -> Report {
        let what = format!("It has {bits} bits. RS256 needs an RSA key of 2048 to 8192.");
        self.refuse(if bits < 2048 { "key-too-short" } else { "key-too-long" }, what).remedy(self.remedy())
    }

    fn algorithm(self, name: &str) -> Report {
        self.refuse("key-not-rsa", format!("It is {name}. RS256 needs an RSA key.")).remedy(self.remedy())
    }
}
