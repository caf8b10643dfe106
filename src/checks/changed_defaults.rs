//! What the engine itself changes with a version does not come as a surprise.

use super::{
    Ctx,
    plane::{Plane, answer, is_set},
    shared::since,
};
use crate::{
    model::{Engine, PgVersion, Side},
    verdict::{Finding, Judgement, Level, Verdict},
};

/// The minors from which on RDS keeps connections for its own role. <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html>
const RESERVED: &[(u16, u16)] = &[(12, 21), (13, 17), (14, 14), (15, 9), (16, 5), (17, 1)];

pub(super) fn judge(ctx: &Ctx<'_>) -> Verdict {
    answer(look(ctx))
}

fn look(ctx: &Ctx<'_>) -> Result<Verdict, Verdict> {
    let plane = Plane::of(ctx)?;
    let (source, target) = (plane.source()?, plane.target()?);
    let mut judgement = Judgement::new();
    let crosses = |major: u16| source.major < major && target.major >= major;
    match ctx.situation.engine {
        Engine::Aurora => {
            if crosses(18) {
                parallel_queries(plane, &mut judgement)?;
            }
            if crosses(16) {
                old_tls(plane, &mut judgement)?;
            }
        }
        Engine::Rds if !since(source, RESERVED) && since(target, RESERVED) => reserved(plane, &mut judgement, target)?,
        _ => {}
    }
    Ok(judgement.done())
}

/// Aurora 18 has parallel queries off unless somebody sets the parameter.
fn parallel_queries(plane: Plane<'_>, judgement: &mut Judgement) -> Result<(), Verdict> {
    const NAME: &str = "max_parallel_workers_per_gather";
    let blue = plane.value_of(plane.blue()?, NAME)?.unwrap_or("2");
    let group = plane.target_group()?;
    let green = match plane.target_value(NAME) {
        Ok(value) => value.unwrap_or("0"),
        // What a default group says is known without reading it.
        Err(_) if group.is_default() => "0",
        Err(verdict) => return Err(verdict),
    };
    if blue == "0" || green != "0" {
        return Ok(());
    }
    let mut finding = Finding::new(NAME, format!("{NAME} is {blue} for blue and 0 for green: Aurora PostgreSQL 18 has parallel queries off by default"))
        .on(Side::Rds)
        .at(Level::Notice);
    if let (Some(key), false) = (group.key(), group.is_default()) {
        finding = finding.fix(plane.set_parameter(key, NAME, blue, "immediate"));
    }
    judgement.find(finding);
    Ok(())
}

/// Aurora 16 gave up TLS 1.0 and 1.1, which somebody lets in on blue.
fn old_tls(plane: Plane<'_>, judgement: &mut Judgement) -> Result<(), Verdict> {
    const NAME: &str = "ssl_min_protocol_version";
    let Some(version) = plane.value_of(plane.blue()?, NAME)?.filter(|v| matches!(v.to_ascii_lowercase().as_str(), "tlsv1" | "tlsv1.1")) else {
        return Ok(());
    };
    judgement.find(
        Finding::new(NAME, format!("{NAME} is {version} for blue: clients with TLS 1.0 or 1.1 come in there, and Aurora PostgreSQL 16 has given both up"))
            .on(Side::Rds)
            .at(Level::Warning)
            .fix("select a.usename, a.application_name, s.version from pg_stat_ssl s join pg_stat_activity a using (pid) where s.version in ('TLSv1', 'TLSv1.1');"),
    );
    Ok(())
}

/// Fewer connections than `max_connections` are left, where somebody has set that.
fn reserved(plane: Plane<'_>, judgement: &mut Judgement, target: PgVersion) -> Result<(), Verdict> {
    const NAME: &str = "max_connections";
    let blue = plane.blue_group()?;
    if let Some(max) = blue.parameters.get(NAME).filter(|p| is_set(p)) {
        let max = max.value.as_deref().unwrap_or_default();
        let message = format!(
            "RDS {target} keeps some of max_connections = {max} for its role rds_reserved (rds.rds_reserved_connections), which blue's version does not"
        );
        let fix = "-- raise max_connections in green's group by rds.rds_reserved_connections, where blue comes near its limit";
        judgement.find(Finding::new(NAME, message).on(Side::Rds).at(Level::Notice).fix(fix).evidence("blue's group", blue.name.as_str()));
    }
    Ok(())
}
