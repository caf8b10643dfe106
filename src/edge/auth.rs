//! Who logs in, and with what.
//!
//! Four ways: a password from where libpq looks for it, an RDS IAM token, a secret of AWS Secrets Manager, or what a program
//! prints. An [`Authenticator`] is shared by all connections of a side; it hands out [`Credentials`] for one attempt and knows
//! whether asking again can give different ones (a rotation in between).

mod command;
mod iam;
mod secrets;
mod side;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::PoisonError,
    time::Duration,
};

use aws_config::SdkConfig;
use tokio::{sync::Mutex, time::Instant};

pub use command::CommandError;
pub use iam::{IamError, aws_credentials_fix, rds_region};
pub use secrets::SecretError;
pub use side::PerSide;

use super::{conninfo::GivenIn, env::Env, pgpass};
use crate::model::{
    secret::{Secret, remember},
    shown::quoted,
};

/// Ceilings for a log filter, to go behind the level that was asked for: at `trace`, the SDK's signer logs what it signs, and
/// an IAM token with temporary credentials has their session token in it.
pub const LOG_CEILINGS: &str = "aws_sigv4=debug,aws_sdk_rds=debug,aws_sdk_secretsmanager=debug,aws_sdk_sts=debug,\
                                aws_sdk_sso=debug,aws_sdk_ssooidc=debug,aws_config=debug,aws_runtime=debug,\
                                aws_smithy_runtime=debug,aws_smithy_runtime_api=debug,aws_smithy_http_client=debug,\
                                hyper=debug,hyper_util=debug,h2=debug,rustls=debug";

/// How long an answer of Secrets Manager or of a program is used again. Shorter than the 15 minutes of an IAM token, which
/// such a program may print.
const REUSE: Duration = Duration::from_secs(600);

/// `--auth`: where the password comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Method {
    /// From the connection string, the service file, PGPASSWORD or the password file, in libpq's order.
    #[default]
    Password,
    /// A token signed for the real endpoint.
    Iam,
    /// A secret in AWS Secrets Manager, by ARN or name.
    Secret(String),
    /// The first line that a program prints.
    Command(Vec<String>),
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "password" => Ok(Self::Password),
            None if text == "iam" => Ok(Self::Iam),
            Some(("secret", id)) if !id.trim().is_empty() => Ok(Self::Secret(id.trim().to_owned())),
            Some(("secret", _)) => Err("secret: needs the ARN or name of a secret, secret:ARN".to_owned()),
            Some(("command", line)) => command::words(line).map(Self::Command),
            Some(("password", _)) => Err(
                "a password is not given on the command line, where everyone can read it; set \
                                          PGPASSWORD or use a password file"
                    .to_owned(),
            ),
            _ => Err("one of password, iam, secret:ARN, command:PROGRAM ARGUMENTS".to_owned()),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password => f.write_str("password"),
            Self::Iam => f.write_str("iam"),
            Self::Secret(id) => write!(f, "secret:{id}"),
            Self::Command(words) => {
                write!(f, "command:{}", words.first().map_or("", String::as_str))?;
                if words.len() > 1 {
                    f.write_str(" …")
                } else {
                    Ok(())
                }
            }
        }
    }
}

/// Where the connection goes for which credentials are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// The real endpoint.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// The end of a tunnel, when TCP goes there; tried second in the password file.
    pub tunnel: Option<(&'a str, u16)>,
    /// The database.
    pub database: &'a str,
}

/// Credentials for one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The database user.
    pub user: String,
    /// The password or token; `None` when nothing was found, which is fine for servers that ask for none.
    pub password: Option<Secret>,
    /// Where they are from.
    pub origin: Origin,
    /// What the user should hear, such as a password file that was not used.
    pub warnings: Vec<String>,
}

/// Where credentials are from; its text completes "the password from …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Given outright.
    Given(GivenIn),
    /// A line of the password file.
    PassFile {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// Signed here.
    Iam {
        /// The region that was signed for.
        region: String,
        /// The host and port that were signed for.
        endpoint: String,
    },
    /// Secrets Manager.
    Secret {
        /// ARN or name.
        id: String,
    },
    /// A program.
    Command {
        /// The program.
        program: String,
    },
    /// Nowhere.
    Nothing,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(place) => place.fmt(f),
            Self::PassFile { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Iam { region, endpoint } => write!(f, "an IAM token for {endpoint} in {region}"),
            Self::Secret { id } => write!(f, "secret {id}"),
            Self::Command { program } => write!(f, "the command {program:?}"),
            Self::Nothing => f.write_str("nowhere"),
        }
    }
}

/// Why there are no credentials. No message has any part of a secret in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Nothing says which user to be.
    #[error("no database user given; use --db-user, or set PGUSER")]
    NoUser,
    /// A way that needs AWS, without AWS.
    #[error("--auth {method} needs an AWS configuration, and there is none for this connection")]
    NoAws {
        /// The way.
        method: &'static str,
    },
    /// The user asked for is not the secret's.
    #[error(
        "secret {id} is for user {theirs:?}, and {ours:?} was asked for; leave out --db-user, or name the secret of that user"
    )]
    OtherUser {
        /// ARN or name.
        id: String,
        /// The secret's user.
        theirs: String,
        /// The user asked for.
        ours: String,
    },
    /// The token.
    #[error(transparent)]
    Iam(#[from] IamError),
    /// Secrets Manager.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The program.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Hands out credentials for the connections of one side.
pub struct Authenticator {
    method: Method,
    user: Option<String>,
    given: Option<(Secret, GivenIn)>,
    passfile: Option<PathBuf>,
    env: Env,
    aws: Option<SdkConfig>,
    region: Option<String>,
    kept: Mutex<HashMap<String, Kept>>,
    reuse: Duration,
    told: std::sync::Mutex<BTreeSet<String>>,
}

/// An answer that is used again.
#[derive(Clone)]
struct Kept {
    user: Option<String>,
    password: Secret,
    until: Instant,
}

/// Shows the way only.
impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authenticator({} as {:?})", self.method, self.user)
    }
}

impl Authenticator {
    /// Logs in by `method`; the user is from [`Authenticator::with_user`], the secret, or PGUSER.
    pub fn new(method: Method, env: Env) -> Self {
        Self {
            method,
            user: None,
            given: None,
            passfile: None,
            env,
            aws: None,
            region: None,
            kept: Mutex::default(),
            reuse: REUSE,
            told: std::sync::Mutex::default(),
        }
    }

    /// The user to be.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// A password that was given outright, and where.
    #[must_use]
    pub fn with_password(mut self, password: Secret, place: GivenIn) -> Self {
        self.given = Some((password, place));
        self
    }

    /// A password file other than the usual one.
    #[must_use]
    pub fn with_passfile(mut self, file: PathBuf) -> Self {
        self.passfile = Some(file);
        self
    }

    /// The AWS configuration for tokens and secrets, and the region of the database where it is known; otherwise the
    /// region in the endpoint's name counts, then the configuration's.
    #[must_use]
    pub fn with_aws(mut self, aws: SdkConfig, region: Option<String>) -> Self {
        self.aws = Some(aws);
        self.region = region;
        self
    }

    /// The way credentials are come by.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Credentials for one attempt to log in. An IAM token is always a fresh one, so its 15 minutes never run out;
    /// answers of Secrets Manager and of a program are used again for ten minutes.
    ///
    /// # Errors
    /// When there is no user, or the method fails; see [`AuthError`].
    pub async fn credentials(&self, login: Login<'_>) -> Result<Credentials, AuthError> {
        let found = match &self.method {
            Method::Password => self.by_password(login),
            // Each is another one, and what is sent of it is blotted out where it is met.
            Method::Iam => return self.by_token(login).await,
            Method::Secret(id) => self.by_secret(id, &mut *self.kept.lock().await).await,
            Method::Command(words) => self.by_command(words, login, &mut *self.kept.lock().await).await,
        };
        if let Ok(Credentials {
            password: Some(password),
            ..
        }) = &found
        {
            remember(password.clone());
        }
        found
    }

    /// Asks again after `refused` was turned down, since the password may have been changed in between. `None` when there
    /// is nothing to ask again, or the answer is the same: trying twice with the same password locks accounts.
    ///
    /// # Errors
    /// As [`Authenticator::credentials`].
    pub async fn renewed(
        &self,
        login: Login<'_>,
        refused: &Credentials,
    ) -> Result<Option<Credentials>, AuthError> {
        let key = match &self.method {
            Method::Password | Method::Iam => return Ok(None),
            Method::Secret(_) => String::new(),
            Method::Command(_) => self.command_key(login)?,
        };
        {
            let mut kept = self.kept.lock().await;
            // Another connection may have asked again already; then its answer is newer than the refused one.
            if kept
                .get(&key)
                .is_some_and(|kept| Some(&kept.password) == refused.password.as_ref())
            {
                kept.remove(&key);
            }
        }
        let fresh = self.credentials(login).await?;
        Ok(Some(fresh).filter(|fresh| fresh.password != refused.password || fresh.user != refused.user))
    }

    /// Logs warnings, each once however many connections come upon it.
    pub(crate) fn warn_once(&self, warnings: &[String]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in warnings.iter().filter(|warning| told.insert((*warning).clone())) {
            tracing::warn!("{warning}");
        }
    }

    fn user(&self) -> Result<String, AuthError> {
        self.user
            .clone()
            .or_else(|| self.env.get("PGUSER").map(ToOwned::to_owned))
            .ok_or(AuthError::NoUser)
    }

    fn aws(&self, method: &'static str) -> Result<&SdkConfig, AuthError> {
        self.aws.as_ref().ok_or(AuthError::NoAws { method })
    }

    fn by_password(&self, login: Login<'_>) -> Result<Credentials, AuthError> {
        let user = self.user()?;
        let from_env = || Some((Secret::new(self.env.get("PGPASSWORD")?), GivenIn::Environment));
        if let Some((password, place)) = self.given.clone().or_else(from_env) {
            let origin = Origin::Given(place);
            return Ok(Credentials {
                user,
                password: Some(password),
                origin,
                warnings: Vec::new(),
            });
        }
        let mut warnings = Vec::new();
        let Some(file) = pgpass::path(self.passfile.as_deref(), &self.env) else {
            return Ok(Credentials {
                user,
                password: None,
                origin: Origin::Nothing,
                warnings,
            });
        };
        for (host, port) in [(login.host, login.port)].into_iter().chain(login.tunnel) {
            match pgpass::lookup(
                &file,
                pgpass::Key {
                    host,
                    port,
                    database: login.database,
                    user: &user,
                },
            ) {
                pgpass::Lookup::Found(found) => {
                    warnings.extend(found.warning);
                    let origin = Origin::PassFile {
                        file,
                        line: found.line,
                    };
                    return Ok(Credentials {
                        user,
                        password: Some(found.password),
                        origin,
                        warnings,
                    });
                }
                pgpass::Lookup::NotUsed(why) => {
                    warnings.push(why);
                    break;
                }
                pgpass::Lookup::NoLine | pgpass::Lookup::NoFile => {}
            }
        }
        Ok(Credentials {
            user,
            password: None,
            origin: Origin::Nothing,
            warnings,
        })
    }

    async fn by_token(&self, login: Login<'_>) -> Result<Credentials, AuthError> {
        let user = self.user()?;
        let aws = self.aws("iam")?;
        let region = iam::region(self.region.as_deref(), login.host, aws)?;
        let token = iam::token(aws, &region, login.host, login.port, &user).await?;
        let origin = Origin::Iam {
            region,
            endpoint: format!("{}:{}", login.host, login.port),
        };
        Ok(Credentials {
            user,
            password: Some(token),
            origin,
            warnings: Vec::new(),
        })
    }

    async fn by_secret(&self, id: &str, kept: &mut HashMap<String, Kept>) -> Result<Credentials, AuthError> {
        let aws = self.aws("secret")?;
        let key = String::new();
        let answer = match kept.get(&key).filter(|kept| kept.until > Instant::now()) {
            Some(answer) => answer.clone(),
            None => {
                let secret = secrets::read(aws, id).await?;
                let until = Instant::now() + self.reuse;
                let answer = Kept {
                    user: Some(secret.username),
                    password: secret.password,
                    until,
                };
                kept.insert(key, answer.clone());
                answer
            }
        };
        let theirs = answer.user.unwrap_or_default();
        if let Some(ours) = self.user.as_ref().filter(|ours| **ours != theirs) {
            return Err(AuthError::OtherUser {
                id: id.to_owned(),
                theirs,
                ours: ours.clone(),
            });
        }
        let origin = Origin::Secret { id: id.to_owned() };
        Ok(Credentials {
            user: theirs,
            password: Some(answer.password),
            origin,
            warnings: Vec::new(),
        })
    }

    fn command_key(&self, login: Login<'_>) -> Result<String, AuthError> {
        Ok(format!("{}\n{}\n{}", login.host, login.port, self.user()?))
    }

    async fn by_command(
        &self,
        words: &[String],
        login: Login<'_>,
        kept: &mut HashMap<String, Kept>,
    ) -> Result<Credentials, AuthError> {
        let user = self.user()?;
        let key = self.command_key(login)?;
        let password = match kept.get(&key).filter(|kept| kept.until > Instant::now()) {
            Some(answer) => answer.password.clone(),
            None => {
                let password = command::run(words, login, &user, &self.env).await?;
                let until = Instant::now() + self.reuse;
                kept.insert(
                    key,
                    Kept {
                        user: None,
                        password: password.clone(),
                        until,
                    },
                );
                password
            }
        };
        let program = words.first().cloned().unwrap_or_default();
        Ok(Credentials {
            user,
            password: Some(password),
            origin: Origin::Command { program },
            warnings: Vec::new(),
        })
    }
}

/// An error of the SDK and what is behind it, in one line. The SDK's own long form ends in the whole error as Rust prints it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = error.source();
    }
    quoted(&text)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests;
