//! From flags to the guards' numbers.

use jiff::SignedDuration;

use crate::{
    cli::GuardArgs,
    commands::Failure,
    switchover::{deployment::Identity, machine::Config},
};

/// The guards of a run about a deployment.
///
/// # Errors
/// Names the flag, and what it must be.
pub(super) fn config(args: &GuardArgs, identity: Identity) -> Result<Config, Failure> {
    let mut config = Config::new(identity);
    let times = [
        ("--stable-for", &args.stable_for, &mut config.stable_for),
        ("--wait", &args.wait, &mut config.wait),
        ("--timeout", &args.timeout, &mut config.timeout),
        ("--max-age", &args.max_age, &mut config.max_age),
        ("--grace", &args.grace, &mut config.grace),
        ("--poll", &args.poll, &mut config.poll),
        ("--rest-for", &args.rest_for, &mut config.rest_for),
        ("--reconcile-for", &args.reconcile_for, &mut config.reconcile_for),
    ];
    for (flag, given, place) in times {
        if let Some(text) = given {
            *place = time(text).ok_or_else(|| {
                Failure::usage(format!(
                    "{flag} {text:?}: write a time like 90, 90s, 1500ms or 5m"
                ))
            })?;
        }
    }
    let (mut bytes, mut lag_time) = (None, None);
    for text in &args.max_lag {
        match (size(text), time(text)) {
            (Some(given), _) if bytes.is_none() => bytes = Some(given),
            (None, Some(given)) if lag_time.is_none() => lag_time = Some(given),
            (None, None) => {
                return Err(Failure::usage(format!(
                    "--max-lag {text:?}: write bytes (4096, 64KB, 1MiB) or a time (500ms, 2s)"
                )));
            }
            _ => {
                return Err(Failure::usage(format!(
                    "--max-lag {text:?}: given twice; once for bytes and once for time is all"
                )));
            }
        }
    }
    config.limits.bytes = bytes.unwrap_or(config.limits.bytes);
    config.limits.time = lag_time.unwrap_or(config.limits.time);
    config.yes = args.yes;
    config.dry_run = args.dry_run;
    config.validate().map_err(Failure::usage)?;
    Ok(config)
}

/// `90`, `90s`, `1500ms`, `5m`, `1h`; whole numbers only.
pub(in crate::commands) fn time(text: &str) -> Option<SignedDuration> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: i64 = text[..text.len() - unit.len()].parse().ok()?;
    let milliseconds = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(SignedDuration::from_millis(number.checked_mul(milliseconds)?))
}

/// `4096`, `64KB`, `1MiB`, `2GB`: a thousand and 1,024 alike are 1,024, as in PostgreSQL.
/// <https://www.postgresql.org/docs/current/config-setting.html>
pub(in crate::commands) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            id: "bgd-1".into(),
            members: vec![],
        }
    }

    fn lag(flags: &[&str]) -> Result<(u64, i128), String> {
        let args = GuardArgs {
            max_lag: flags.iter().map(|&s| s.to_owned()).collect(),
            ..GuardArgs::default()
        };
        let config = config(&args, identity()).map_err(|e| e.message)?;
        Ok((config.limits.bytes, config.limits.time.as_millis()))
    }

    #[test]
    fn lag_is_bytes_or_time_or_both() {
        assert_eq!(lag(&[]), Ok((1 << 20, 1000)));
        assert_eq!(lag(&["64KB"]), Ok((64 << 10, 1000)));
        assert_eq!(lag(&["500ms", "4096"]), Ok((4096, 500)));
        assert_eq!(lag(&["2s"]), Ok((1 << 20, 2000)));
        // One letter that means both is a time: minutes, as everywhere else.
        assert_eq!(lag(&["2m"]), Ok((1 << 20, 120_000)));
        for wrong in [
            vec!["x"],
            vec!["1s", "2s"],
            vec!["1KB", "2"],
            vec!["-1"],
            vec![""],
        ] {
            assert!(lag(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn times_that_could_never_work_are_refused_by_name() {
        for (flag, args) in [
            (
                "--timeout",
                GuardArgs {
                    timeout: Some("10s".into()),
                    ..GuardArgs::default()
                },
            ),
            (
                "--wait",
                GuardArgs {
                    wait: Some("5s".into()),
                    ..GuardArgs::default()
                },
            ),
            (
                "--max-age",
                GuardArgs {
                    max_age: Some("10".into()),
                    ..GuardArgs::default()
                },
            ),
            (
                "--poll",
                GuardArgs {
                    poll: Some("soon".into()),
                    ..GuardArgs::default()
                },
            ),
            (
                "--grace",
                GuardArgs {
                    grace: Some("99999999999999999999".into()),
                    ..GuardArgs::default()
                },
            ),
        ] {
            let error = config(&args, identity()).expect_err(flag).message;
            assert!(error.contains(flag), "{error}");
        }
    }
}
