//! The question: what is about to be switched over, where, in which state, and whether the operator means it.

use std::fmt::Write as _;

use crate::output::words::{self, bytes, seconds};
use crate::{
    edge::terminal,
    switchover::{driver::Reply, evidence::Open, machine::Config, moment::LagLine},
};

/// What does not change about the question.
#[derive(Clone, Debug, Default)]
pub(super) struct Card {
    /// The AWS account.
    pub(super) account: String,
    /// Who greenlight is to AWS, where that is known.
    pub(super) principal: Option<String>,
    /// The Region.
    pub(super) region: String,
    /// The API's endpoint where it is not AWS's own.
    pub(super) endpoint_url: Option<String>,
    /// The deployment's name.
    pub(super) name: String,
    /// `bgd-…`
    pub(super) id: String,
    /// Production: name, version, endpoint.
    pub(super) blue: Side,
    /// What takes its place.
    pub(super) green: Side,
}

/// One side of the card.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    /// Cluster or instance.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// `host:port`.
    pub(super) endpoint: String,
}

/// Findings that are shown one by one.
const SHOWN: usize = 12;

impl Card {
    /// The card as text.
    pub(super) fn text(&self, open: &[Open], lag: &[LagLine], config: &Config) -> String {
        let mut text = String::from(
            "\nAbout to switch over. Production stops taking writes meanwhile, and there is no way back afterwards.\n\n",
        );
        let mut line = |name: &str, value: &str| {
            let _infallible = writeln!(text, "  {name:<12} {value}");
        };
        line("account", &self.account);
        if let Some(principal) = &self.principal {
            line("as", principal);
        }
        match &self.endpoint_url {
            Some(url) => line("region", &format!("{} at {url}", self.region)),
            None => line("region", &self.region),
        }
        line("deployment", &format!("{} ({})", self.name, self.id));
        line(
            "production",
            &format!(
                "{}  {}  {}",
                self.blue.name, self.blue.version, self.blue.endpoint
            ),
        );
        line(
            "becomes",
            &format!(
                "{}  {}  {}",
                self.green.name, self.green.version, self.green.endpoint
            ),
        );
        let members: Vec<&str> = config
            .identity
            .members
            .iter()
            .map(|pair| pair.blue.arn.rsplit(':').next().unwrap_or_default())
            .collect();
        line("members", &members.join(", "));
        let lags: Vec<String> = lag
            .iter()
            .map(|l| format!("{} {}", words::quoted(&l.database), bytes(l.bytes)))
            .collect();
        line("lag", &lags.join(", "));
        line(
            "limits",
            &format!(
                "lag up to {} and {}; RDS rolls back after {}",
                bytes(config.limits.bytes),
                seconds(config.limits.time),
                seconds(config.timeout)
            ),
        );
        if open.is_empty() {
            line("open", "nothing");
        } else {
            line(
                "open",
                &format!("{} findings below blocker, or accepted:", open.len()),
            );
            for finding in open.iter().take(SHOWN) {
                let (check, subject) = (&finding.check, words::quoted(&finding.subject));
                let message = words::quoted(&finding.message);
                line("", &format!("{}  {check}  {subject}: {message}", finding.level));
            }
            if open.len() > SHOWN {
                line(
                    "",
                    &format!("… and {} more; see `greenlight check`", open.len() - SHOWN),
                );
            }
        }
        text
    }
}

/// Shows the card and waits for the deployment's name. Whoever drops this leaves the question unanswered.
pub(super) async fn ask(card: &Card, open: &[Open], lag: &[LagLine], config: &Config) -> Reply {
    terminal::say(&card.text(open, lag, config));
    terminal::ask(&format!(
        "Type the deployment's name ({}) to switch it over: ",
        card.name
    ));
    // The thread that reads may outlive the question; the process does not wait for it.
    let answer = tokio::task::spawn_blocking(terminal::read_line).await;
    match answer {
        Ok(Ok(Some(answer))) if answer.trim() == card.name => Reply::Yes,
        Ok(Ok(Some(_))) => {
            terminal::say("that is not its name");
            Reply::No
        }
        Ok(Ok(None)) => Reply::No,
        Ok(Err(_)) | Err(_) => Reply::NoTerminal,
    }
}
