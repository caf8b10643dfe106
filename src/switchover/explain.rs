//! Names the probable guardrail behind a switchover that RDS refused or cancelled, and its fix.
//!
//! RDS gives free text (`StatusDetails`, events, the fault's message) and publishes neither its wording nor its
//! thresholds, so this is a guess from words, and is shown as one, next to the text itself.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html>

use super::machine::Fault;

/// One probable cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// A short name that does not change.
    pub id: &'static str,
    /// What RDS guards.
    pub title: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Each group is one way to recognise it; all words of a group must be there.
    words: &'static [&'static [&'static str]],
}

/// What a text probably means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The guardrail.
    pub guardrail: &'static Guardrail,
    /// The text it was read from, as RDS wrote it.
    pub text: String,
}

/// The guardrails, the more specific before the more general.
pub static GUARDRAILS: &[Guardrail] = &[
    Guardrail {
        id: "sequences",
        title: "sequences could not be synchronised (RDS-EVENT-0310, RDS-EVENT-0314)",
        fix: "RDS copies every sequence during the switchover; drop unused ones or raise --timeout (up to 3600 s)",
        words: &[&["sequence"]],
    },
    Guardrail {
        id: "ddl",
        title: "DDL or large objects changed blue since green was made, so that replication is degraded",
        fix: "green cannot be mended: find what ran the DDL (blue's log says \"will not be replicated to the green \
              instance\"), stop it, delete the deployment and create it again",
        words: &[
            &["ddl"],
            &["data definition"],
            &["replication_degraded"],
            &["degraded"],
            &["large object"],
        ],
    },
    Guardrail {
        id: "external-replication",
        title: "blue takes part in logical replication of its own",
        fix: "drain and drop foreign subscriptions and slots on blue (pg_subscription, pg_replication_slots), and make \
              them again after the switchover",
        words: &[
            &["external", "replica"],
            &["self-managed", "replication"],
            &["logical", "publisher"],
            &["logical", "subscriber"],
            &["foreign", "slot"],
        ],
    },
    Guardrail {
        id: "proxy",
        title: "an RDS Proxy does not reach blue or green",
        fix: "look at DescribeDBProxyTargets: each target must be AVAILABLE for blue and for green",
        words: &[&["proxy"]],
    },
    Guardrail {
        id: "green-writes",
        title: "somebody writes on green",
        fix: "find the session in green's pg_stat_activity (and pg_prepared_xacts), end it, and set green read only",
        words: &[
            &["green", "write"],
            &["target", "write"],
            &["green", "read-write"],
        ],
    },
    Guardrail {
        id: "long-transactions",
        title: "writes or DDL on blue ran for too long",
        fix: "end the transactions that hold an xid in blue's pg_stat_activity, prepared ones too, and switch over when \
              batch jobs rest",
        words: &[
            &["long-running"],
            &["long running"],
            &["active write"],
            &["active transaction"],
            &["open transaction"],
            &["prepared transaction"],
        ],
    },
    Guardrail {
        id: "lag",
        title: "green was too far behind to catch up within the time-out",
        fix: "wait until lag is near zero (greenlight watch), lower the write load, or raise --timeout",
        words: &[&["lag"], &["catch up"], &["caught up"], &["behind"]],
    },
    Guardrail {
        id: "member-missing",
        title: "a blue or green resource is gone",
        fix: "a member was deleted: delete the deployment and create it again",
        words: &[
            &["missing_source"],
            &["missing_target"],
            &["has been deleted"],
            &["was deleted"],
        ],
    },
    Guardrail {
        id: "configuration",
        title: "green's configuration is not valid",
        fix: "bring the parameter groups in sync (a pending reboot counts), undo what was changed on green, or create \
              the deployment again",
        words: &[
            &["invalid_configuration"],
            &["invalid configuration"],
            &["parameter"],
            &["pending-reboot"],
        ],
    },
    Guardrail {
        id: "replication",
        title: "replication from blue to green is not healthy",
        fix: "look at green's log and pg_stat_subscription for the error, at blue's pg_replication_slots for an \
              inactive or lost slot; if it cannot be mended, create the deployment again",
        words: &[
            &["replication", "healthy"],
            &["replication", "stopped"],
            &["replication", "error"],
            &["slot"],
        ],
    },
    Guardrail {
        id: "timeout",
        title: "the switchover took longer than its time-out",
        fix: "raise --timeout (30 to 3600 s), switch over at a quiet time, and look for many connections or sequences",
        words: &[
            &["timeout"],
            &["timed out"],
            &["time-out"],
            &["time out"],
            &["within", "seconds"],
        ],
    },
];

/// What each text probably means, in the order of the texts; a text that matches nothing is left out, and each
/// guardrail is named once.
#[must_use]
pub fn explain<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Explanation> {
    let mut found: Vec<Explanation> = Vec::new();
    for text in texts {
        let lower = text.to_lowercase();
        let guardrail = GUARDRAILS
            .iter()
            .find(|g| g.words.iter().any(|all| all.iter().all(|w| has(&lower, w))));
        if let Some(guardrail) = guardrail
            && !found.iter().any(|e| e.guardrail.id == guardrail.id)
        {
            found.push(Explanation {
                guardrail,
                text: text.to_owned(),
            });
        }
    }
    found
}

/// Whether a word begins somewhere in the text: "lag" is in "lagging" and not in "flag".
fn has(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        text[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric() && before != '_')
    })
}

/// What to do about a definite fault of the request itself.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_SwitchoverBlueGreenDeployment.html>,
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html>
#[must_use]
pub fn fix_fault(fault: &Fault) -> &'static str {
    match fault.code.as_str() {
        "BlueGreenDeploymentNotFoundFault" => "the deployment was deleted meanwhile; create it again",
        "InvalidBlueGreenDeploymentStateFault" => {
            "another switchover is running, or green is not valid; see what the deployment shows now"
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" => {
            "the role lacks rds:SwitchoverBlueGreenDeployment on this deployment; see `greenlight iam-policy`"
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch" => {
            "the credentials are no longer valid, or this machine's clock is wrong; renew them and run it again"
        }
        Fault::NOT_SENT => {
            "the request never left this machine; see to credentials and network, and run it again"
        }
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => {
            "the account's API rate was exceeded; wait a minute and run it again"
        }
        _ => "run the check again and read the message above",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<&'static str> {
        explain(texts.iter().copied())
            .iter()
            .map(|e| e.guardrail.id)
            .collect()
    }

    #[test]
    fn words_lead_to_the_guardrail() {
        for (text, id) in [
            (
                "Switchover was canceled because sequences failed to sync",
                "sequences",
            ),
            (
                "Data definition language (DDL) changes aren't supported; status of REPLICATION_DEGRADED",
                "ddl",
            ),
            (
                "Correct the external replication on the blue primary instance",
                "external-replication",
            ),
            ("There are active writes on the green environment", "green-writes"),
            (
                "Long-running active writes were found on blue",
                "long-transactions",
            ),
            ("Replica lag is above the allowed limit", "lag"),
            ("SwitchoverDetails: MISSING_TARGET", "member-missing"),
            (
                "INVALID_CONFIGURATION: the parameter group is not in sync",
                "configuration",
            ),
            (
                "Replication from the blue to the green is not healthy",
                "replication",
            ),
            ("Switchover did not finish within the timeout", "timeout"),
            ("RDS Proxy app cannot reach the cluster", "proxy"),
        ] {
            assert_eq!(ids(&[text]), [id], "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_explained() {
        assert!(ids(&["Something flagged went wrong", ""]).is_empty());
    }

    #[test]
    fn a_guardrail_is_named_once_with_the_first_text() {
        let found = explain(["replica lag 1", "replica lag 2"]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, "replica lag 1");
    }

    #[test]
    fn ids_are_unique_and_words_lower_case() {
        for (i, g) in GUARDRAILS.iter().enumerate() {
            assert!(GUARDRAILS[..i].iter().all(|other| other.id != g.id), "{}", g.id);
            assert!(
                g.words
                    .iter()
                    .flat_map(|w| w.iter())
                    .all(|w| *w == w.to_lowercase()),
                "{}",
                g.id
            );
        }
    }
}
