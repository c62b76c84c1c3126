//! Where the services of a region live.

use serde::{Deserialize, Serialize};

/// A region of the vendor's cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The vendor's SDK key.
    pub key: &'static str,
    /// The domain that every host name ends in.
    pub domain: &'static str,
    /// For people.
    pub title: &'static str,
}

/// All regions that the vendor's SDK lists. Source: MyPureCloud/platform-client-sdk-javascript,
/// `PureCloudRegionHosts.js`, read 2026-08.
pub const REGIONS: [Region; 18] = [
    region("us_east_1", "mypurecloud.com", "Americas (US East)"),
    region("us_west_2", "usw2.pure.cloud", "Americas (US West)"),
    region("us_east_2", "use2.us-gov-pure.cloud", "Americas (FedRAMP)"),
    region("ca_central_1", "cac1.pure.cloud", "Americas (Canada)"),
    region("mx_central_1", "mxc1.pure.cloud", "Americas (Mexico)"),
    region("sa_east_1", "sae1.pure.cloud", "Americas (São Paulo)"),
    region("eu_west_1", "mypurecloud.ie", "EMEA (Ireland)"),
    region("eu_west_2", "euw2.pure.cloud", "EMEA (London)"),
    region("eu_central_1", "mypurecloud.de", "EMEA (Frankfurt)"),
    region("eu_central_2", "euc2.pure.cloud", "EMEA (Zurich)"),
    region("eusc_de_east_1", "edee1.eusc-pure.cloud", "EMEA (EU sovereign, alpha)"),
    region("me_central_1", "mec1.pure.cloud", "EMEA (UAE)"),
    region("ap_south_1", "aps1.pure.cloud", "Asia Pacific (Mumbai)"),
    region("ap_northeast_1", "mypurecloud.jp", "Asia Pacific (Tokyo)"),
    region("ap_northeast_2", "apne2.pure.cloud", "Asia Pacific (Seoul)"),
    region("ap_northeast_3", "apne3.pure.cloud", "Asia Pacific (Osaka)"),
    region("ap_southeast_1", "apse1.pure.cloud", "Asia Pacific (Singapore)"),
    region("ap_southeast_2", "mypurecloud.com.au", "Asia Pacific (Sydney)"),
];

const fn region(key: &'static str, domain: &'static str, title: &'static str) -> Region {
    Region { key, domain, title }
}

impl Region {
    /// Finds a region by its domain or its SDK key, whatever the case.
    pub fn find(name: &str) -> Option<Self> {
        let name = name.trim();
        REGIONS.into_iter().find(|r| r.domain.eq_ignore_ascii_case(name) || r.key.eq_ignore_ascii_case(name))
    }
}

/// Base addresses, without a slash at the end. Their names are those of the sandbox's ready line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// REST: `https://api.{region}`.
    pub api: String,
    /// OAuth: `https://login.{region}`.
    pub login: String,
    /// The guest socket with its path: `wss://webmessaging.{region}/v1`.
    pub guest_socket: String,
    /// Deployment files: `https://api-cdn.{region}`.
    pub cdn: String,
    /// Notification sockets: `wss://streaming.{region}`.
    pub streaming: String,
}

impl Hosts {
    /// The hosts of a region's domain, known or not (a new region has the same pattern).
    pub fn of_domain(domain: &str) -> Self {
        Self {
            api: format!("https://api.{domain}"),
            login: format!("https://login.{domain}"),
            guest_socket: format!("wss://webmessaging.{domain}/v1"),
            cdn: format!("https://api-cdn.{domain}"),
            streaming: format!("wss://streaming.{domain}"),
        }
    }
}
