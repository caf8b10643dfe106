//! Nobody but RDS decodes blue's log.

use super::{
    Ctx,
    shared::{self, Apply, Slot},
};
use crate::{
    model::Side,
    verdict::{Finding, Judgement, Level, Verdict},
};

/// What slot names, plugins and application names of well-known consumers hold, all in lower case.
const CONSUMERS: &[(&str, &str)] = &[
    ("awsdms", "AWS DMS"),
    ("debezium", "Debezium"),
    ("decoderbufs", "Debezium"),
    ("materialize", "Materialize"),
    ("fivetran", "Fivetran"),
    ("airbyte", "Airbyte"),
    ("peerflow", "PeerDB"),
    ("peerdb", "PeerDB"),
    ("pglogical", "pglogical"),
    ("pgl_", "pglogical"),
    ("pgactive", "pgactive"),
    ("estuary", "Estuary Flow"),
    ("flow_slot", "Estuary Flow"),
    ("stitch", "Stitch"),
    ("hevo", "Hevo"),
    ("datastream", "Google Datastream"),
    ("risingwave", "RisingWave"),
    ("supabase_realtime", "Supabase Realtime"),
    ("electric", "ElectricSQL"),
    ("sequin", "Sequin"),
    ("zero_", "Zero"),
    ("powersync", "PowerSync"),
    ("maxwell", "Maxwell"),
    ("wal2json", "a wal2json consumer"),
    ("test_decoding", "a test_decoding consumer"),
    ("pgoutput", "a subscription or a pgoutput consumer"),
];

fn guess(slot: &Slot) -> Option<&'static str> {
    let seen = [&Some(slot.name.clone()), &slot.application, &slot.plugin].map(|text| {
        let text = text.as_deref().unwrap_or_default();
        text.to_lowercase()
    });
    // The name says more than the plugin, so all patterns are tried on it first.
    seen.iter().find_map(|text| CONSUMERS.iter().find(|(part, _)| text.contains(part)).map(|(_, who)| *who))
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let slots = ctx.rows::<Slot>(Side::Blue, "slots");
    let green = ctx.rows::<Apply>(Side::Green, "apply").rows;
    let mut judgement = Judgement::new();
    judgement.more(slots.more);
    judgement.blind(slots.unseen);
    for (_, slot) in slots.rows.iter().filter(|(_, s)| s.is_logical() && !shared::is_services(s, &green)) {
        let who = guess(slot).map_or(String::new(), |who| format!(", probably of {who}"));
        let state = match (slot.active, slot.temporary) {
            (true, _) => "in use",
            (false, true) => "temporary",
            (false, false) => "not in use",
        };
        let database = slot.database.as_deref().unwrap_or_default();
        let mut finding = Finding::new(
            &slot.name,
            format!("logical slot {} in database {database} is {state}{who}", slot.name),
        )
        .on(Side::Blue)
        .fix(format!(
            "select pg_catalog.pg_drop_replication_slot({});",
            shared::literal(&slot.name)
        ))
        .evidence("database", database)
        .evidence("active", slot.active);
        if slot.temporary {
            // It goes with its session.
            finding = finding.at(Level::Warning);
        }
        for (key, value) in [
            ("plugin", &slot.plugin),
            ("application", &slot.application),
            ("user", &slot.user),
            ("client", &slot.client),
            ("wal_status", &slot.wal_status),
        ] {
            if let Some(value) = value {
                finding = finding.evidence(key, value.as_str());
            }
        }
        if let Some(bytes) = slot.retained_bytes {
            finding = finding.evidence("retained bytes", bytes);
        }
        judgement.find(finding);
    }
    judgement.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_consumers() {
        let slot = |name: &str, plugin: &str, application: Option<&str>| Slot {
            name: name.to_owned(),
            kind: "logical".to_owned(),
            plugin: Some(plugin.to_owned()),
            database: None,
            temporary: false,
            active: false,
            application: application.map(str::to_owned),
            user: None,
            client: None,
            wal_status: None,
            invalidation: None,
            retained_bytes: None,
        };
        assert_eq!(guess(&slot("materialize_19f3", "pgoutput", None)), Some("Materialize"));
        assert_eq!(guess(&slot("cdc", "pgoutput", Some("Debezium Streaming"))), Some("Debezium"));
        assert_eq!(guess(&slot("x", "pglogical_output", None)), Some("pglogical"));
        assert_eq!(guess(&slot("x", "own_plugin", None)), None);
    }
}
