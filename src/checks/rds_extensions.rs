//! No extension is installed that RDS does not carry over the upgrade.

use serde::Deserialize;

use super::Ctx;
use crate::{
    model::{Engine, PgVersion, Side},
    verdict::{Finding, Judgement, Verdict},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    extension: String,
    version: String,
}

/// Why the extension does not come along, where it does not.
fn refusal(extension: &Extension, engine: Engine, source: u16, target: PgVersion) -> Option<String> {
    let rds = engine == Engine::Rds;
    match extension.extension.as_str() {
        "pg_repack" => Some("is bound to its version: drop it, and create it anew on the new major".to_owned()),
        "rdkit" if rds && source <= 16 && target.major >= 17 && at_most(&extension.version, &[4, 6, 0]) => {
            Some("up to 4.6.0 does not get to 17 from an earlier major directly".to_owned())
        }
        "plrust" if rds && target.major >= 18 => Some("is not offered by RDS from 18 on".to_owned()),
        "postgis_topology" if rds && target.major == 18 && target.minor.is_some_and(|minor| minor <= 2) => {
            Some(format!("is not offered by RDS in {target}"))
        }
        _ => None,
    }
}

/// Whether a dotted version is at most another; what is no number counts as 0.
fn at_most(version: &str, limit: &[u32]) -> bool {
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    parts.as_slice() <= limit
}

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    let mut judgement = Judgement::new();
    let extensions = ctx.rows::<Extension>(Side::Blue, "");
    judgement.more(extensions.more);
    judgement.blind(extensions.unseen);
    // Without a target the engine turns what is found into "unknown"; the newest major shows the most.
    let target = ctx.situation.target.unwrap_or(PgVersion::major(crate::model::Newest::MAJOR));
    let source = ctx.situation.source.map_or(0, |source| source.major);
    for (database, extension) in extensions.rows {
        let Some(why) = refusal(&extension, ctx.situation.engine, source, target) else {
            continue;
        };
        judgement.find(
            Finding::new(&extension.extension, format!("extension {} {why}", extension.extension))
                .in_database(database.as_deref())
                .on(Side::Blue)
                .fix(format!("drop extension {};", extension.extension))
                .evidence("installed", extension.version.as_str()),
        );
    }
    judgement.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(extension: &str, version: &str, engine: Engine, target: &str) -> bool {
        let extension = Extension {
            extension: extension.to_owned(),
            version: version.to_owned(),
        };
        refusal(&extension, engine, 15, target.parse().expect("a version")).is_some()
    }

    #[test]
    fn knows_what_each_target_lacks() {
        assert!(refused("rdkit", "4.6.0", Engine::Rds, "17.2") && !refused("rdkit", "4.6.1", Engine::Rds, "17.2"));
        assert!(!refused("rdkit", "4.2", Engine::Rds, "16.9") && !refused("rdkit", "4.2", Engine::Aurora, "17.2"));
        assert!(refused("postgis_topology", "3.4.3", Engine::Rds, "18.2"));
        assert!(!refused("postgis_topology", "3.4.3", Engine::Rds, "18.3"));
        assert!(refused("plrust", "1.2", Engine::Rds, "18.1") && !refused("plrust", "1.2", Engine::Rds, "17.5"));
    }
}
