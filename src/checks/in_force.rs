//! What a setting is for processes of the server itself: for senders on blue, for apply workers on green.

use std::collections::BTreeMap;

use super::{
    Ctx,
    shared::{self, Override},
};
use crate::{facts::DbName, model::Side, verdict::Unseen};

/// The value of one setting in each database, for processes that have no role of their own to be set for.
pub(super) struct InForce {
    server: Result<String, Unseen>,
    databases: BTreeMap<DbName, String>,
}

impl InForce {
    /// Reads a side's value of the setting `name`, from the probes `settings` and `overrides`.
    ///
    /// # Errors
    /// Where what databases and roles are given could not be read.
    pub(super) fn of(ctx: &Ctx<'_>, side: Side, name: &str) -> Result<Self, Vec<Unseen>> {
        let overrides = ctx.rows::<Override>(side, "overrides");
        if !overrides.unseen.is_empty() {
            return Err(overrides.unseen);
        }
        let given: Vec<Override> = overrides
            .rows
            .into_iter()
            .map(|(_, o)| o)
            .filter(|o| o.name.eq_ignore_ascii_case(name))
            .collect();
        let settings = ctx.settings(side);
        let for_all = given.iter().find(|o| o.role.is_none() && o.database.is_none());
        let value = match for_all.map(|o| o.value.as_str()) {
            Some(value) => Some(value.to_owned()),
            // What is given to a role or a database may be what greenlight's own session began with.
            None => settings
                .get(name)
                .map_err(|unseen| vec![unseen])?
                .map(shared::of_a_new_session)
                .filter(|setting| !shared::is_session_value(setting))
                .and_then(|setting| setting.setting)
                .filter(|value| given.iter().all(|o| o.value != *value)),
        };
        let unseen = Unseen {
            subject: format!("setting {name}"),
            why: "what a new process has is not known".to_owned(),
        };
        Ok(Self {
            server: value.ok_or(unseen),
            databases: given
                .into_iter()
                .filter(|o| o.role.is_none())
                .filter_map(|o| Some((o.database?, o.value)))
                .collect(),
        })
    }

    /// The value for processes of a database.
    ///
    /// # Errors
    /// Where the database has none of its own, and the server's could not be told from greenlight's.
    pub(super) fn in_database(&self, database: &str) -> Result<&str, Unseen> {
        match self.databases.get(database) {
            Some(value) => Ok(value),
            None => self.server.as_deref().map_err(Clone::clone),
        }
    }
}
