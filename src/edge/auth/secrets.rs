//! AWS Secrets Manager.
//!
//! RDS keeps a database login as JSON with `username` and `password`, sometimes with `engine`, `host`, `port` and more
//! (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html>). Only the login is
//! used: which server to look at is never taken from a secret.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_secretsmanager::{
    Client,
    config::Builder,
    error::{ProvideErrorMetadata, SdkError},
};
use serde::Deserialize;

use super::{chain, iam::aws_credentials_fix};
use crate::model::{secret::Secret, shown::quoted};

/// For the whole call, the SDK's retries included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A database login.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    pub(super) username: String,
    pub(super) password: Secret,
    engine: Option<String>,
}

/// Why there is no login. Never has a part of the secret's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use secret {id}: {why}; {fix}")]
pub struct SecretError {
    /// ARN or name.
    pub id: String,
    /// What is wrong.
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// Reads a secret from the region in its ARN, or from the configuration's.
pub(super) async fn read(aws: &SdkConfig, id: &str) -> Result<Stored, SecretError> {
    let mut config = Builder::from(aws);
    if let Some(region) = arn_region(id) {
        config = config.region(Region::new(region.to_owned()));
    }
    let client = Client::from_conf(config.build());
    let failed = |why: String, fix: &str| SecretError {
        id: id.to_owned(),
        why,
        fix: fix.to_owned(),
    };
    let call = client.get_secret_value().secret_id(id).send();
    let answer = match tokio::time::timeout(TIMEOUT, call).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let (why, fix) = explain(&error);
            let fix = fix.unwrap_or_else(|| aws_credentials_fix(&why));
            return Err(failed(why, fix));
        }
        Err(_) => {
            let why = format!("Secrets Manager did not answer within {} s", TIMEOUT.as_secs());
            return Err(failed(
                why,
                "check the network, or the VPC endpoint for secretsmanager",
            ));
        }
    };
    let text = answer.secret_string().ok_or_else(|| {
        failed(
            "it is binary".to_owned(),
            "name a secret with the JSON text of a database login",
        )
    })?;
    parse(text).map_err(|why| {
        failed(
            why,
            "name a secret with the JSON text of a database login, {\"username\": …, \"password\": …}",
        )
    })
}

/// Understands the JSON form. serde's own message would show a part of the text, so only its kind is told.
fn parse(text: &str) -> Result<Stored, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| "it is not JSON".to_owned())?;
    let fields = value.as_object().ok_or("it is JSON, but not an object")?;
    for field in ["username", "password"] {
        match fields.get(field).map(|value| value.as_str()) {
            Some(Some("")) => return Err(format!("its {field:?} is empty")),
            Some(Some(_)) => {}
            Some(None) => return Err(format!("its {field:?} is not text")),
            None => return Err(format!("it has no {field:?}")),
        }
    }
    let stored: Stored =
        serde_json::from_value(value).map_err(|_| "its \"engine\" is not text".to_owned())?;
    match &stored.engine {
        Some(engine) if !engine.contains("postgres") => Err(format!(
            "it is for the engine {:?}, not PostgreSQL",
            engine.chars().take(40).collect::<String>()
        )),
        _ => Ok(stored),
    }
}

fn arn_region(id: &str) -> Option<&str> {
    let mut parts = id.split(':');
    (parts.next() == Some("arn")).then_some(())?;
    parts.nth(2).filter(|region| !region.is_empty())
}

fn explain<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug + 'static>(
    error: &SdkError<E, R>,
) -> (String, Option<&'static str>) {
    let Some(code) = error.code() else {
        // What the SDK says about an answer that it cannot read may quote it, and the password is in it.
        return match error {
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => (
                "what came is no answer of Secrets Manager".to_owned(),
                Some("check the endpoint and what stands between, such as a proxy"),
            ),
            _ => (chain(error), None),
        };
    };
    let fix = match code {
        "AccessDeniedException" => {
            "allow secretsmanager:GetSecretValue on it, and kms:Decrypt on its key if that is your own"
        }
        "ResourceNotFoundException" => "check its ARN or name, the account and the region",
        "DecryptionFailure" => "allow kms:Decrypt on its key, and check that the key is enabled",
        "InvalidRequestException" => "check that it is not marked for deletion",
        "ExpiredTokenException" | "ExpiredToken" => "log in to AWS again",
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidSignatureException" => {
            "check the AWS credentials and the clock"
        }
        _ => "check AWS credentials, region and network",
    };
    let why = error
        .message()
        .map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"));
    (quoted(&why), Some(fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rdss_json() {
        let stored = parse(
            r#"{"username":"app","password":"p\"w:%\\ ü","engine":"postgres","host":"h","port":5432,"dbname":"d","masterarn":"x"}"#,
        )
        .expect("RDS's form");
        assert_eq!(
            (stored.username.as_str(), stored.password.expose()),
            ("app", "p\"w:%\\ ü")
        );
        assert!(
            parse(r#"{"username":"u","password":"planted"}"#).is_ok(),
            "what RDS itself manages has just two"
        );
        assert!(parse(r#"{"username":"u","password":"p","engine":"aurora-postgresql"}"#).is_ok());
    }

    #[test]
    fn says_what_is_wrong_without_showing_it() {
        for (text, why) in [
            ("planted", "it is not JSON"),
            ("\"planted\"", "it is JSON, but not an object"),
            (r#"{"password":"planted"}"#, "it has no \"username\""),
            (r#"{"username":"u","pass":"planted"}"#, "it has no \"password\""),
            (
                r#"{"username":"u","password":["planted"]}"#,
                "its \"password\" is not text",
            ),
            (r#"{"username":"u","password":""}"#, "its \"password\" is empty"),
            (
                r#"{"username":"u","password":"planted","engine":"mysql"}"#,
                "it is for the engine \"mysql\", not PostgreSQL",
            ),
        ] {
            assert_eq!(parse(text).expect_err("refused"), why);
        }
    }

    #[test]
    fn the_region_is_the_arns() {
        assert_eq!(
            arn_region("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"),
            Some("eu-west-1")
        );
        assert_eq!(arn_region("prod/db"), None);
    }
}
