//! The handle of one server.

mod standby;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::options::{defaults, hba, render};
use super::port::Port;
use super::process::{Hindrance, Process, log_text};
use super::template::{SETTINGS_FILE, SUPERUSER, Template};
use super::watchdog::Watchdog;
use super::{Account, Binaries, Cache, Error, Result, ServerOptions, Settings, cache, url};

const HOST: &str = "127.0.0.1";
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a restart waits for an orderly end, which a publisher puts off until its subscribers have everything.
const ORDERLY: Duration = Duration::from_secs(15);

/// A row as text, `None` for NULL.
pub type Row = Vec<Option<String>>;

/// How to end a server, <https://www.postgresql.org/docs/current/server-shutdown.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Waits for the clients to leave.
    Smart,
    /// Ends the clients' transactions.
    Fast,
    /// Ends without a checkpoint; the next start recovers from the log.
    Immediate,
}

/// A PostgreSQL server. Clones are handles to the same one; it stops and its folder goes when the last is dropped.
/// Should this process end in any other way (a signal, an abort, SIGKILL), a small process that watches it does the
/// same a moment later.
#[derive(Debug, Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    binaries: Binaries,
    base: PathBuf,
    data: PathBuf,
    log: PathBuf,
    superuser_password: String,
    defaults: Settings,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    process: Option<Process>,
    settings: Settings,
    port: Port,
    watchdog: Watchdog,
}

impl Server {
    /// Starts a server and returns when it takes connections.
    pub async fn start(options: ServerOptions) -> Result<Self> {
        blocking(move || Self::start_blocking(options)).await
    }

    /// [`Server::start`] for code that is not async.
    pub fn start_blocking(options: ServerOptions) -> Result<Self> {
        let account = Account::current()?;
        let cache = Cache::open(account)?;
        let binaries = Binaries::find(options.major, options.installation.as_deref(), &cache, account)?;
        let template = Template::prepare(&binaries, &options.initdb_args, &cache, account)?;
        let temp = if options.durable {
            cache::temp_folder(account)?
        } else {
            cache::scratch_folder(account)?
        };
        let base = tempfile::Builder::new()
            .prefix("greenlight-pg-")
            .tempdir_in(&temp)
            .map_err(Error::io("create a folder in", &temp))?;
        // From here on the watchdog removes the folder, also when the rest of this function fails.
        let watchdog = Watchdog::over(base.path())?;
        let base = base.keep();
        account.own(&base)?;
        let data = base.join("data");
        cache::copy_folder(&template.data, &data, account)?;
        for (name, text) in files(&options) {
            let file = data.join(name);
            fs::write(&file, text).map_err(Error::io("write", &file))?;
            fs::set_permissions(&file, Permissions::from_mode(0o600))
                .map_err(Error::io("set the mode of", &file))?;
            account.own(&file)?;
        }
        let inner = Inner {
            log: base.join("log"),
            base,
            data,
            superuser_password: template.superuser_password,
            defaults: defaults(&options),
            state: Mutex::new(State {
                process: None,
                settings: options.settings,
                port: Port::reserve()?,
                watchdog,
            }),
            binaries,
        };
        inner.start(true)?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The major version.
    pub fn major(&self) -> u32 {
        self.inner.binaries.major
    }

    /// The version as the server prints it, such as `17.10`.
    pub fn version(&self) -> &str {
        &self.inner.binaries.version
    }

    /// The address it listens on, an IPv4 loopback address.
    pub fn host(&self) -> &'static str {
        HOST
    }

    /// The TCP port. It stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.inner.lock().port.number()
    }

    /// Host and port.
    pub fn address(&self) -> std::net::SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// The data folder, owned by the account that the server runs as.
    pub fn data_dir(&self) -> &Path {
        &self.inner.data
    }

    /// Everything the server wrote to its log so far.
    pub fn log(&self) -> String {
        log_text(&self.inner.log)
    }

    /// Name and password of the bootstrap superuser.
    pub fn superuser(&self) -> (&str, &str) {
        (SUPERUSER, &self.inner.superuser_password)
    }

    /// A `postgres://` URL.
    pub fn url(&self, database: &str, user: &str, password: &str) -> String {
        url::url(HOST, self.port(), database, user, password)
    }

    /// A keyword/value connection string, as `CREATE SUBSCRIPTION` takes it.
    pub fn conninfo(&self, database: &str, user: &str, password: &str) -> String {
        url::conninfo(HOST, self.port(), database, user, password)
    }

    /// A client for the superuser, which may write also where `default_transaction_read_only` says that nobody should.
    /// Its connection is driven by a task on the current runtime.
    pub async fn connect(&self, database: &str) -> Result<tokio_postgres::Client> {
        let options = "-c default_transaction_read_only=off";
        self.connect_with(database, SUPERUSER, &self.inner.superuser_password, options)
            .await
    }

    /// A client for any role, without TLS.
    pub async fn connect_as(
        &self,
        database: &str,
        user: &str,
        password: &str,
    ) -> Result<tokio_postgres::Client> {
        self.connect_with(database, user, password, "").await
    }

    async fn connect_with(
        &self,
        database: &str,
        user: &str,
        password: &str,
        options: &str,
    ) -> Result<tokio_postgres::Client> {
        let port = self.port();
        let connected = tokio_postgres::Config::new()
            .host(HOST)
            .port(port)
            .dbname(database)
            .user(user)
            .password(password)
            .options(options)
            .application_name("sandbox")
            .connect(NoTls)
            .await;
        let (client, connection) = connected.map_err(|source| Error::Connect {
            database: database.to_owned(),
            user: user.to_owned(),
            port,
            source,
        })?;
        tokio::spawn(async move {
            // Whoever holds the client sees the same error.
            let _ = connection.await;
        });
        Ok(client)
    }

    /// Runs one or more statements as the superuser. Several without `BEGIN` are one transaction.
    pub async fn execute(&self, database: &str, statements: &str) -> Result<()> {
        let client = self.connect(database).await?;
        execute(&client, database, statements).await
    }

    /// Runs one or more statements as the superuser and returns the rows of all of them.
    pub async fn query(&self, database: &str, statements: &str) -> Result<Vec<Row>> {
        let client = self.connect(database).await?;
        query(&client, database, statements).await
    }

    /// The first column of the first row.
    pub async fn value(&self, database: &str, statement: &str) -> Result<Option<String>> {
        let rows = self.query(database, statement).await?;
        Ok(rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten()))
    }

    /// Names of the databases that can be connected to and are no templates, in order.
    pub async fn databases(&self) -> Result<Vec<String>> {
        let sql =
            "select datname from pg_catalog.pg_database where datallowconn and not datistemplate order by 1";
        let rows = self.query("postgres", sql).await?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// The settings given so far, without the sandbox's defaults.
    pub fn settings(&self) -> Settings {
        self.inner.lock().settings.clone()
    }

    /// Adds to the settings. They come into effect with [`Server::reload`] or [`Server::restart`].
    pub fn configure<N: Into<String>, V: Into<String>>(
        &self,
        settings: impl IntoIterator<Item = (N, V)>,
    ) -> Result<()> {
        let mut state = self.inner.lock();
        state.settings.extend(
            settings
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        self.inner.write_settings(&state)
    }

    /// Replaces the settings, all but the sandbox's defaults; otherwise like [`Server::configure`].
    pub fn replace_settings(&self, settings: Settings) -> Result<()> {
        let mut state = self.inner.lock();
        state.settings = settings;
        self.inner.write_settings(&state)
    }

    /// Makes the running server read its files again.
    pub fn reload(&self) -> Result<()> {
        let mut state = self.inner.lock();
        self.inner.running(&mut state)?.signal(Signal::HUP);
        Ok(())
    }

    /// Adds to the settings, stops the server if it runs, and starts it. Clients are disconnected.
    pub async fn restart<N: Into<String>, V: Into<String>>(
        &self,
        settings: impl IntoIterator<Item = (N, V)>,
    ) -> Result<()> {
        self.configure(settings)?;
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            if inner.stop(StopMode::Fast, ORDERLY).is_err() {
                inner.stop(StopMode::Immediate, STOP_TIMEOUT)?;
            }
            inner.start(false)
        })
        .await
    }

    /// Stops the server; [`Server::restart`] starts it again. Does nothing if it is not running.
    pub async fn stop(&self, mode: StopMode) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.stop(mode, STOP_TIMEOUT)).await
    }

    /// Kills the server as a failing machine does (SIGKILL).
    pub fn kill(&self) {
        if let Some(mut process) = self.inner.lock().process.take() {
            process.kill(&self.inner.data);
        }
    }

    /// Whether the server process lives.
    pub fn is_running(&self) -> bool {
        self.inner
            .lock()
            .process
            .as_mut()
            .is_some_and(Process::is_running)
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_settings(&self, state: &State) -> Result<()> {
        let mut all = self.defaults.clone();
        all.extend(state.settings.clone());
        for (name, value) in [
            ("listen_addresses", HOST.to_owned()),
            ("port", state.port.number().to_string()),
            ("unix_socket_directories", String::new()),
        ] {
            all.insert(name.to_owned(), value);
        }
        let file = self.data.join(SETTINGS_FILE);
        fs::write(&file, render(&all)).map_err(Error::io("write", &file))?;
        Account::current()?.own(&file)
    }

    fn running<'a>(&self, state: &'a mut State) -> Result<&'a mut Process> {
        let port = state.port.number();
        state.process.as_mut().ok_or(Error::NotRunning {
            major: self.binaries.major,
            port,
        })
    }

    /// `moves` allows another port if this one is taken.
    fn start(&self, moves: bool) -> Result<()> {
        let account = Account::current()?;
        let mut state = self.lock();
        let began = Instant::now();
        loop {
            self.write_settings(&state)?;
            match Process::start(&self.binaries, account, &self.data, &self.log) {
                Ok(process) => {
                    state.process = Some(process);
                    return Ok(());
                }
                Err(Hindrance::Fatal(error)) => return Err(error),
                Err(Hindrance::PortTaken) if moves => state.port = Port::reserve()?,
                Err(_) if began.elapsed() < STOP_TIMEOUT => std::thread::sleep(Duration::from_millis(50)),
                Err(_) => {
                    let reason = "its port or its shared memory is still in use".to_owned();
                    let log = super::binaries::tail(log_text(&self.log).as_bytes(), 15);
                    return Err(Error::NotStarted {
                        major: self.binaries.major,
                        reason,
                        log,
                    });
                }
            }
        }
    }

    fn stop(&self, mode: StopMode, limit: Duration) -> Result<()> {
        let mut state = self.lock();
        let port = state.port.number();
        if let Some(process) = &mut state.process {
            process.signal(match mode {
                StopMode::Smart => Signal::TERM,
                StopMode::Fast => Signal::INT,
                StopMode::Immediate => Signal::QUIT,
            });
            if !process.wait(limit) {
                return Err(Error::NotStopped {
                    major: self.binaries.major,
                    port,
                    seconds: limit.as_secs(),
                });
            }
        }
        state.process = None;
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut process) = state.process.take() {
            process.signal(Signal::QUIT);
            if !process.wait(Duration::from_secs(10)) {
                process.kill(&self.data);
            }
        }
        // What is left of a killed server is the watchdog's, and so is what cannot be removed just now.
        let orderly = !self.data.join("postmaster.pid").exists();
        if orderly && fs::remove_dir_all(&self.base).is_ok() {
            state.watchdog.dismiss();
        }
    }
}

/// The files in the data folder that are the server's own.
fn files(options: &ServerOptions) -> Vec<(&'static str, String)> {
    let mut files = vec![("pg_hba.conf", hba(options))];
    if let Some(certificate) = &options.ssl {
        files.push(("server.crt", certificate.chain.clone()));
        files.push(("server.key", certificate.key.clone()));
    }
    files
}

/// File and process work away from the runtime's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Error::Program {
                program: "a thread of the runtime",
                output: error.to_string(),
            }),
        },
    }
}

/// Runs statements and keeps the text for the error.
pub(crate) async fn execute(client: &tokio_postgres::Client, database: &str, statements: &str) -> Result<()> {
    client
        .batch_execute(statements)
        .await
        .map_err(|source| Error::Sql {
            database: database.to_owned(),
            statement: statements.to_owned(),
            source,
        })
}

/// Runs statements and returns all their rows as text.
pub(crate) async fn query(
    client: &tokio_postgres::Client,
    database: &str,
    statements: &str,
) -> Result<Vec<Row>> {
    let messages = client
        .simple_query(statements)
        .await
        .map_err(|source| Error::Sql {
            database: database.to_owned(),
            statement: statements.to_owned(),
            source,
        })?;
    Ok(messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|column| row.get(column).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        })
        .collect())
}
