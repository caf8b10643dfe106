//! Nobody is connected to the old side.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::{Side, count, quote_ident},
    verdict::{Finding, Judgement, Verdict},
};

/// Sessions of one client; a last row without a user only tells whether others can be seen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    kind: Option<String>,
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
    client: Option<String>,
    sessions: usize,
    writing: usize,
    since: Option<String>,
    sees_all: bool,
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let role = match ctx.server(Side::Blue) {
        Ok(server) => &server.role,
        Err(unseen) => return Verdict::Unknown { unseen: vec![unseen] },
    };
    let gathered = ctx.rows::<Sessions>(Side::Blue, "");
    judgement.more(gathered.more);
    judgement.blind(gathered.unseen);
    if gathered.rows.iter().any(|(_, s)| !s.sees_all) {
        judgement.unseen(
            "sessions",
            format!(
                "other roles' sessions are hidden: grant pg_monitor to {}",
                quote_ident(role)
            ),
        );
        return judgement.done();
    }
    for (_, s) in gathered.rows {
        let Some(user) = &s.user else { continue };
        let mut who = format!("user {user}");
        let named = [("application", &s.application), ("from", &s.client)];
        for (word, value) in named {
            if let Some(value) = value.as_ref().filter(|v| !v.is_empty()) {
                who.push_str(&format!(", {word} {value}"));
            }
        }
        let what = match s.kind.as_deref() {
            Some("walsender") => count(s.sessions, "replication connection"),
            _ => count(s.sessions, "session"),
        };
        let verb = if s.sessions == 1 { "is" } else { "are" };
        let writing = if s.writing > 0 {
            format!(", {} of them writing", s.writing)
        } else {
            String::new()
        };
        judgement.find(
            Finding::new(&who, format!("{what} of {who} {verb} still on the old side{writing}"))
                .in_database(s.database.as_deref())
                .on(Side::Blue)
                .fix("restart the client, or clear the address that it has cached; then end the session with pg_terminate_backend")
                .evidence("sessions", s.sessions)
                .evidence("writing", s.writing)
                .evidence("oldest since", s.since.clone()),
        );
    }
    judgement.done()
}
