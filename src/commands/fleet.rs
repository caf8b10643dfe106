//! `greenlight fleet`: the checks of `check` over everything that matches, and one summary.
//!
//! Each Region of each account is listed once and shared by all that is in it ([`Region`]); the databases of its members
//! are looked at a few at a time. A member that cannot be looked at is a row that says why, and stops nobody else. With
//! `--reports` each finished member is on disk before the next begins, so that a run that is stopped can be taken up.

mod places;
mod progress;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_config::SdkConfig;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{
    Failure, World, check,
    target::{self, Target, Wanted, Ways},
};
use crate::{
    cli::{FleetArgs, FleetFormat},
    edge::{
        clock, files,
        rds::{Collected, Member, RdsRequest, Region},
        terminal::{self, Progress},
    },
    exit::Exit,
    facts::{Fact, Facts, SCHEMA, rds::RdsFacts},
    fleet::{self, Fleet, Place, Question, Row, Scope},
    gate,
    model::{PgVersion, hex},
    output::{self, Format, Style, View},
    policy::Policy,
    report::Report,
    situation::Situation,
};
use places::Spot;
use progress::Finished;

pub(super) async fn run(args: FleetArgs, world: &World) -> Result<Exit, Failure> {
    let policy = check::policy(&args.policy)?;
    let written = written(&args.output)?;
    let ways = Ways::of(&args.databases)?;
    let tags: Vec<(String, Option<String>)> = args.tag.iter().map(|t| tag(t)).collect::<Result<_, _>>()?;
    let target = args.target_version.or(args.target_major.map(PgVersion::major));
    let question = Question {
        at: clock::now(),
        target: target.map(|t| t.to_string()),
        scope: if args.api_only {
            Scope::ApiOnly
        } else {
            Scope::Full
        },
        fail_on: policy.fail_on,
        policy_file: policy.file.clone(),
    };
    let finished = match &args.reports {
        Some(folder) => {
            let asked = digest(&args, &policy, &question);
            Some(Finished::open(folder, asked, &args, question.at)?)
        }
        None => None,
    };
    let spots = places::open(&args, world).await?;
    let run = Run {
        args: &args,
        world,
        policy: &policy,
        ways: &ways,
        target,
        finished: finished.as_ref(),
        progress: Progress::start(),
    };
    let outcome = run.all(&spots, &tags).await;
    run.progress.finish();
    let (places, passed_over, rows) = outcome;
    let looked_everywhere = places.iter().all(|p| p.error.is_none());
    if rows.is_empty() && looked_everywhere {
        let passed: Vec<String> = passed_over
            .iter()
            .map(|(what, n)| format!("{n} {what}"))
            .collect();
        let also = if passed.is_empty() {
            String::new()
        } else {
            format!(" (passed over: {})", passed.join(", "))
        };
        return Err(Failure::usage(format!(
            "nothing here matches{also}: check --tag, --region and --account-role"
        )));
    }
    let fleet = Fleet::of(&question, places, passed_over, rows);
    if fleet.databases.is_empty() {
        for place in &fleet.places {
            let why = place.error.as_deref().unwrap_or_default();
            terminal::say(&format!("error: {}: {why}", place.region));
        }
    }
    show(&args, world, &fleet, &written)?;
    let code = fleet.exit_code;
    let exit = Exit::ALL
        .iter()
        .map(|(exit, _)| *exit)
        .find(|exit| exit.code() == code);
    Ok(exit.unwrap_or(Exit::Fault))
}

/// Writes the summary beside the reports and to the files of `-o`, and shows it.
fn show(
    args: &FleetArgs,
    world: &World,
    fleet: &Fleet,
    written: &[(FleetFormat, PathBuf)],
) -> Result<(), Failure> {
    let plain = Style {
        color: false,
        width: 100,
        verbose: true,
    };
    // Links lead to files beside the page; elsewhere they would lead nowhere.
    let mut unlinked = fleet.clone();
    unlinked.databases.iter_mut().for_each(|row| row.reports.clear());
    if let Some(folder) = &args.reports {
        files::write(&folder.join("fleet.html"), &fleet::html(fleet))?;
        files::write(&folder.join("fleet.json"), &fleet.json())?;
    }
    for (format, path) in written {
        let beside = args.reports.as_deref() == path.parent();
        let links = matches!(format, FleetFormat::Html | FleetFormat::Markdown);
        let shown = if links && !beside { &unlinked } else { fleet };
        files::write(path, &render(shown, *format, plain))?;
    }
    let style = terminal::style(world.color, world.verbose > 0, &world.env);
    let shown = match args.format {
        FleetFormat::Html | FleetFormat::Markdown => &unlinked,
        _ => fleet,
    };
    terminal::print(&render(shown, args.format, style))?;
    Ok(())
}

fn render(fleet: &Fleet, format: FleetFormat, style: Style) -> String {
    match format {
        FleetFormat::Table => fleet::table(fleet, style),
        FleetFormat::Json => fleet.json(),
        FleetFormat::Markdown => fleet::markdown(fleet),
        FleetFormat::Html => fleet::html(fleet),
        FleetFormat::Csv => fleet::csv(fleet),
    }
}

/// The files of `-o FORMAT=FILE`.
fn written(output: &[String]) -> Result<Vec<(FleetFormat, PathBuf)>, Failure> {
    let one = |text: &String| {
        let parts = text.split_once('=').filter(|(_, path)| !path.is_empty());
        let parsed = parts.and_then(|(format, path)| {
            let format = <FleetFormat as clap::ValueEnum>::from_str(format, true).ok()?;
            Some((format, PathBuf::from(path)))
        });
        parsed.ok_or_else(|| {
            Failure::usage(format!(
                "-o {text:?}: write FORMAT=FILE, with one of table, json, markdown, html, csv"
            ))
        })
    };
    output.iter().map(one).collect()
}

/// `KEY=VALUE` or `KEY`.
fn tag(text: &str) -> Result<(String, Option<String>), Failure> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (text, None),
    };
    if key.is_empty() {
        return Err(Failure::usage(format!("--tag {text:?}: write KEY=VALUE or KEY")));
    }
    Ok((key.to_owned(), value))
}

/// What decides a row besides the database itself: rows of an earlier run are only taken where it was the same.
fn digest(args: &FleetArgs, policy: &Policy, question: &Question) -> String {
    let text = format!(
        "{} {:?} {:?} {:?} {:?} {:?}",
        env!("CARGO_PKG_VERSION"),
        question.target,
        question.scope,
        args.report_format,
        // Without the moment at which it was made.
        (
            &policy.thresholds,
            &policy.levels,
            &policy.waivers,
            policy.fail_on
        ),
        (&policy.only, &policy.skip),
    );
    hex(&Sha256::digest(text.as_bytes())[..8])
}

/// What a run holds.
struct Run<'a> {
    args: &'a FleetArgs,
    world: &'a World,
    policy: &'a Policy,
    ways: &'a Ways,
    target: Option<PgVersion>,
    finished: Option<&'a Finished>,
    progress: Progress,
}

/// A member and where it is.
struct Job<'a> {
    spot: &'a Spot,
    region: &'a Arc<Region>,
    config: &'a SdkConfig,
    member: Member,
}

impl Run<'_> {
    async fn all(
        &self,
        spots: &[Spot],
        tags: &[(String, Option<String>)],
    ) -> (Vec<Place>, BTreeMap<String, u64>, Vec<Row>) {
        self.progress.waiting("listing clusters and instances");
        let listed = stream::iter(spots.iter().map(async |spot| match &spot.open {
            Ok((config, region)) => {
                let listing = target::in_time(&self.args.databases, region.members(tags));
                let members = listing.await.map_err(|e| e.to_string());
                (spot, members.map(|members| (config, region, members)))
            }
            Err(why) => (spot, Err(why.clone())),
        }))
        .buffered(8)
        .collect::<Vec<_>>()
        .await;
        let mut passed_over: BTreeMap<String, u64> = BTreeMap::new();
        let mut jobs = Vec::new();
        let mut places = Vec::new();
        for (spot, listed) in listed {
            let mut place = spot.place();
            match listed {
                Ok((config, region, members)) => {
                    place.databases = members.found.len();
                    for (what, n) in members.passed_over {
                        *passed_over.entry(what).or_default() += n;
                    }
                    let account = members.found.first().map(|m| m.arn.account().to_owned());
                    place.account = place.account.or(account);
                    jobs.extend(members.found.into_iter().map(|member| Job {
                        spot,
                        region,
                        config,
                        member,
                    }));
                }
                Err(why) => place.error = Some(why),
            }
            places.push(place);
        }
        let rows = self.rows(jobs).await;
        for (place, spot) in places.iter_mut().zip(spots) {
            if let Ok((_, region)) = &spot.open {
                let count = region.count();
                place.calls = count.calls;
                place.throttled = count.throttled;
                place.peak_per_second = count.peak_per_second;
            }
        }
        (places, passed_over, rows)
    }

    async fn rows(&self, jobs: Vec<Job<'_>>) -> Vec<Row> {
        let total = jobs.len();
        let mut by_state: HashMap<fleet::State, usize> = HashMap::new();
        let mut rows = Vec::with_capacity(total);
        let mut done = stream::iter(jobs.into_iter().map(|job| self.row(job)))
            .buffer_unordered(self.args.concurrency.max(1));
        while let Some(row) = done.next().await {
            *by_state.entry(row.state).or_default() += 1;
            rows.push(row);
            let bad = by_state.get(&fleet::State::NotReady).copied().unwrap_or_default();
            let text = format!("{} of {total} looked at, {bad} not ready", rows.len());
            self.progress.counted(&text, rows.len() == total);
        }
        rows
    }

    /// One member: from the earlier run, or looked at now. Whatever goes wrong is its row.
    async fn row(&self, job: Job<'_>) -> Row {
        let member = &job.member;
        if let Some(row) = self.finished.and_then(|f| f.row(&member.arn, &member.version)) {
            return row;
        }
        let begun = clock::now();
        // Each database has the deadline for itself: one that is slow takes nothing from the others.
        let look = target::in_time(&self.args.databases, self.look(&job, begun));
        let row = match Box::pin(look).await {
            Ok(row) => row,
            Err(why) => fleet::blind(&member.arn, member.engine, &member.version, begun, why),
        };
        if let Some(finished) = self.finished
            && let Err(error) = finished.add(&row)
        {
            tracing::warn!("{error}; --resume will look at {} again", row.name);
        }
        row
    }

    async fn look(&self, job: &Job<'_>, begun: Timestamp) -> Result<Row, String> {
        let member = &job.member;
        if let Some(target) = self.target
            && is_there(&member.version, target)
            && !member.in_deployment
        {
            let major = job.region.major_of(member).await;
            let (arn, engine, version) = (&member.arn, member.engine, &member.version);
            return Ok(fleet::there(arn, engine, version, begun, target, major.as_ref()));
        }
        let request = RdsRequest {
            subject: member.subject.clone(),
            target_version: self.target,
            target_parameter_group: None,
            endpoint_url: None,
        };
        let collected = job.region.collect(request).await.map_err(|e| e.to_string())?;
        let facts = self.facts(job, collected, begun).await;
        let api_only = self.args.api_only;
        // Judging and rendering is what costs: it must not hold up those that wait for answers.
        let (policy, arn, version) = (self.policy.clone(), member.arn.clone(), member.version.clone());
        let folder = self.args.reports.clone();
        let formats = self.args.report_format.clone();
        let judged = tokio::task::spawn_blocking(move || {
            let report = Report::make(&facts, Situation::of(&facts, None), &policy);
            let mut row = Row::of(&arn, &version, &facts, &report, api_only);
            if let Some(folder) = folder {
                row.reports = write(&folder, &formats, &row, &facts, &report)?;
            }
            Ok(row)
        });
        judged.await.map_err(|e| format!("a fault in greenlight: {e}"))?
    }

    /// The whole document, or with why the databases are not in it.
    async fn facts(&self, job: &Job<'_>, collected: Collected, begun: Timestamp) -> Facts {
        if self.args.api_only {
            return api_facts(collected, begun, fleet::left_out);
        }
        let (config, region) = (job.config, job.spot.region.as_str());
        let Some(blue) = collected.blue.clone() else {
            let why = "it has no endpoint to connect to: is it stopped, being made, or deleted?";
            return api_facts(collected, begun, || {
                Fact::unknown(crate::facts::Why::Unreachable, why)
            });
        };
        let spec = |endpoint, side| {
            self.ways
                .spec(endpoint, side, &self.args.databases, (config, region), self.world)
        };
        let kept = collected.clone();
        let target = Target {
            blue: spec(&blue, crate::model::Side::Blue),
            green: collected
                .green
                .as_ref()
                .map(|endpoint| spec(endpoint, crate::model::Side::Green)),
            rds: Fact::Known(collected.facts),
            engine: collected.engine,
            request: collected.request,
        };
        let wanted = Wanted {
            phase: None,
            everything: false,
            only: &self.policy.only,
        };
        let quiet = Progress::quiet_unless(false);
        match target::facts(target, &self.args.databases, wanted, begun, &quiet).await {
            Ok(facts) => facts,
            // What the API says is judged all the same.
            Err(failure) => api_facts(kept, begun, || {
                Fact::unknown(crate::facts::Why::Unreachable, failure.message.clone())
            }),
        }
    }
}

/// Whether a version is the target or newer.
fn is_there(version: &str, target: PgVersion) -> bool {
    version
        .parse::<PgVersion>()
        .is_ok_and(|version| match target.minor {
            None => version.major >= target.major,
            Some(_) => version >= target,
        })
}

/// A document without the databases.
pub(super) fn api_facts(
    collected: Collected,
    begun: Timestamp,
    unknown: impl Fn() -> Fact<crate::facts::ServerFacts>,
) -> Facts {
    let green = collected.green.as_ref().map(|_| unknown());
    let rds: RdsFacts = collected.facts;
    Facts {
        schema: SCHEMA,
        greenlight: env!("CARGO_PKG_VERSION").to_owned(),
        collected_at: begun,
        request: collected.request,
        engine: collected.engine,
        rds: Fact::Known(rds),
        blue: unknown(),
        green,
        lag: Vec::new(),
        contents: None,
    }
}

/// What the names of reports are made of.
fn fits_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// Writes the full report in each format; returns the files' names.
fn write(
    folder: &Path,
    formats: &[Format],
    row: &Row,
    facts: &Facts,
    report: &Report,
) -> Result<Vec<String>, String> {
    let view = View {
        report,
        facts,
        exit: gate::exit(report),
    };
    let plain = Style {
        color: false,
        width: 100,
        verbose: true,
    };
    let mut names = Vec::new();
    for format in formats {
        // Identifiers of RDS are letters, digits and hyphens: they are names of files as they are. Of others nothing is left that
        // leads elsewhere.
        let stem = format!("{}.{}.{}.{}", row.account, row.region, row.kind, row.name);
        let stem: String = stem
            .chars()
            .map(|c| if fits_a_name(c) { c } else { '_' })
            .collect();
        let name = format!("{stem}.{}", format.extension());
        let text = output::render(*format, view, plain);
        files::write(&folder.join(&name), &text).map_err(|e| e.to_string())?;
        names.push(name);
    }
    Ok(names)
}
