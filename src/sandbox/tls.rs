//! A certificate authority for this computer's own names, made anew at each start. Its key is never written anywhere.
//!
//! It can vouch for `localhost`, what ends in `.localhost`, and the loopback addresses, and says so itself (RFC 5280,
//! 4.2.1.10): whoever trusts it trusts it for nothing else.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::model::Report;

/// Names under `localhost` for which a certificate is kept; of more, those that came later share none.
const NAMES: usize = 64;
/// No browser takes a certificate that lives longer.
const DAYS: i64 = 397;

/// How connections are secured.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// Certificate of the authority.
    pub(super) ca_pem: String,
}

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    provider: Arc<CryptoProvider>,
    /// For `localhost` and the addresses.
    own: Arc<CertifiedKey>,
    /// By name; made when they are first asked for.
    others: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Tls {
    pub(super) fn new() -> Result<Self, Report> {
        let failed = |why: String| Report::new("sandbox-tls", "The sandbox cannot speak TLS", why);
        let issuer = authority().map_err(|e| failed(e.to_string()))?;
        let ca_pem = issuer.pem();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let names = CertificateParams::new(vec!["localhost".to_owned()]).map(|mut params| {
            params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
            params
        });
        let own = names.map_err(|e| e.to_string()).and_then(|names| certificate(names, &issuer, &provider));
        let own = own.map_err(failed)?;
        let authority = Authority { issuer, provider: provider.clone(), own, others: Mutex::default() };
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(e.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(authority));
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem })
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    lifetime(&mut params);
    params.distinguished_name = named("Sessionscope sandbox");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn named(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CommonName, name);
    all
}

/// From yesterday on: the clock of whoever looks at it may be a little behind.
fn lifetime(params: &mut CertificateParams) {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |offset: i64| {
        let date = today.saturating_add(jiff::Span::new().days(offset));
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(-1);
    params.not_after = day(DAYS - 1);
}

fn certificate(
    mut params: CertificateParams,
    issuer: &CertifiedIssuer<'static, KeyPair>,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, String> {
    lifetime(&mut params);
    params.distinguished_name = named("Sessionscope sandbox, this computer");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(|e| e.to_string())?;
    let signed = params.signed_by(&key, issuer).map_err(|e| e.to_string())?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let made = CertifiedKey::from_der(vec![signed.der().clone()], key, provider);
    made.map(Arc::new).map_err(|e| e.to_string())
}

impl Authority {
    /// Of a name under `localhost`.
    fn of(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if !name.ends_with(".localhost") {
            return None;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(&name) {
            return Some(known.clone());
        }
        if others.len() >= NAMES {
            return None;
        }
        let params = CertificateParams::new(vec![name.clone()]).ok()?;
        let made = certificate(params, &self.issuer, &self.provider).ok()?;
        others.insert(name, made.clone());
        Some(made)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello.server_name().and_then(|name| self.of(name)).or_else(|| Some(self.own.clone()))
    }
}
