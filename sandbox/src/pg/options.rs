//! How a server is to be: its major version, settings, TLS and authentication.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Server settings by name, as `postgresql.conf` would hold them. Names with a dot that PostgreSQL does not know, such as
/// `rds.logical_replication`, are kept and answered by `current_setting`.
pub type Settings = BTreeMap<String, String>;

/// A certificate for TLS connections, both in PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate chain, the server's own first.
    pub chain: String,
    /// Its private key.
    pub key: String,
}

/// What to start. [`ServerOptions::new`] gives a server that is quick rather than safe: nothing is flushed to disk.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// 10 to 18.
    pub major: u32,
    /// Override the sandbox's defaults, see [`ServerOptions::new`].
    pub settings: Settings,
    /// Switches TLS on.
    pub ssl: Option<Certificate>,
    /// More arguments for `initdb`, such as `--data-checksums`. Every different list is initialised once and cached.
    pub initdb_args: Vec<String>,
    /// Lines for the head of `pg_hba.conf`; the first line that fits a connection wins.
    pub hba: Vec<String>,
    /// The installation to run (a folder with `bin`), instead of the environment's or the fetched one.
    pub installation: Option<std::path::PathBuf>,
    /// Keep the data on disk and wait for it as a real server does (`fsync`); off unless asked for.
    pub durable: bool,
}

impl ServerOptions {
    /// A server of this major version: superuser `rdsadmin`, encoding UTF8, locale C.UTF-8, password authentication for
    /// everyone over TCP on the loopback interface, no Unix socket.
    pub fn new(major: u32) -> Self {
        Self {
            major,
            settings: Settings::new(),
            ssl: None,
            initdb_args: Vec::new(),
            hba: Vec::new(),
            installation: None,
            durable: false,
        }
    }

    /// Sets one server setting.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// The settings that a publisher of logical replication needs.
    #[must_use]
    pub fn logical(self) -> Self {
        self.setting("wal_level", "logical")
            .setting("max_replication_slots", "20")
            .setting("max_wal_senders", "20")
    }

    /// Switches TLS on.
    #[must_use]
    pub fn ssl(mut self, chain: impl Into<String>, key: impl Into<String>) -> Self {
        self.ssl = Some(Certificate {
            chain: chain.into(),
            key: key.into(),
        });
        self
    }
}

/// The sandbox's own settings, which the caller's override: small, quick, and with a log that tells who did what.
pub(super) fn defaults(options: &ServerOptions) -> Settings {
    let mut settings: Settings = [
        ("shared_buffers", "16MB"),
        ("huge_pages", "off"),
        // In the data folder, so that a killed server leaves nothing elsewhere.
        ("dynamic_shared_memory_type", "mmap"),
        ("logging_collector", "off"),
        ("log_line_prefix", "%m [%p] %q%u@%d "),
        // How soon a worker that failed or was paused starts anew; 5 s by default.
        ("wal_retrieve_retry_interval", "200ms"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    if !options.durable {
        settings.insert("fsync".to_owned(), "off".to_owned());
        settings.insert("full_page_writes".to_owned(), "off".to_owned());
        settings.insert("max_wal_size".to_owned(), "256MB".to_owned());
    }
    if options.ssl.is_some() {
        settings.insert("ssl".to_owned(), "on".to_owned());
    }
    settings
}

/// The text of a settings file.
pub(super) fn render(settings: &Settings) -> String {
    settings.iter().fold(String::new(), |mut text, (name, value)| {
        let value = value
            .replace('\\', "\\\\")
            .replace('\'', "''")
            .replace('\n', "\\n");
        let _ = writeln!(text, "{name} = '{value}'");
        text
    })
}

/// `pg_hba.conf`: `md5` checks the password in whichever of the two ways it is stored, as RDS does by default.
pub(super) fn hba(options: &ServerOptions) -> String {
    let mut text = String::new();
    for line in &options.hba {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("host all all 127.0.0.1/32 md5\nhost replication all 127.0.0.1/32 md5\n");
    text
}
