//! The HTML report in a real browser: it loads nothing, runs nothing that a name brought, is usable by keyboard and
//! screen reader, and stays quick with ten thousand findings.
//!
//! Needs Chromium, node and npm; `npm install` runs once into the target folder. Without them the test says so and does
//! nothing, unless `GREENLIGHT_REQUIRE_CHROMIUM=1`. `GREENLIGHT_PICTURES=FOLDER` keeps the screenshots and the print.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use greenlight::{
    output::Format,
    policy::Policy,
    verdict::{Finding, Judgement, Level},
};
use serde_json::Value;

use super::{Case, judged, table};

pub(crate) struct Browser {
    chromium: PathBuf,
    modules: PathBuf,
}

/// Chromium and the packages that drive it, or why they are not there.
fn find() -> Result<Browser, String> {
    let on_path = |names: &[&str]| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let files = names
            .iter()
            .flat_map(|name| folders.iter().map(move |f| f.join(name)));
        files.into_iter().find(|file| file.is_file())
    };
    let chromium =
        on_path(&["chromium", "chromium-browser", "google-chrome"]).ok_or("no chromium on the PATH")?;
    let npm = on_path(&["npm"]).ok_or("no npm on the PATH")?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    let modules = folder.join("node_modules");
    let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/package.json");
    let same = fs::read(folder.join("package.json")).ok() == fs::read(&wanted).ok();
    if !(same && modules.join("axe-core").is_dir() && modules.join("puppeteer-core").is_dir()) {
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        fs::copy(&wanted, folder.join("package.json")).map_err(|e| e.to_string())?;
        let installed = Command::new(npm)
            .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            return Err("npm could not install axe-core and puppeteer-core".to_owned());
        }
    }
    Ok(Browser { chromium, modules })
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn browser() -> Option<&'static Browser> {
    static FOUND: OnceLock<Result<Browser, String>> = OnceLock::new();
    match FOUND.get_or_init(find) {
        Ok(browser) => Some(browser),
        Err(why) => {
            let required = std::env::var("GREENLIGHT_REQUIRE_CHROMIUM").is_ok_and(|v| v == "1");
            assert!(!required, "{why}");
            eprintln!("SKIPPED: the HTML report was not looked at in a browser: {why}");
            None
        }
    }
}

pub(crate) fn look(browser: &Browser, name: &str, html: &str, quick: bool) -> Value {
    let temporary = tempfile::tempdir().expect("a folder");
    let page = temporary.path().join(format!("{name}.html"));
    fs::write(&page, html).expect("the page");
    let pictures = std::env::var("GREENLIGHT_PICTURES").unwrap_or_default();
    let mut command = Command::new("node");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/look.mjs"))
        .arg(&browser.chromium)
        .arg(&page)
        .arg(pictures)
        .env("NODE_MODULES", &browser.modules);
    if quick {
        command.env("QUICK", "1");
    }
    let output = command.output().expect("node starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = browser() else { return };
    let seen = look(
        browser,
        "report",
        &Case::all_kinds().render(Format::Html, false),
        false,
    );
    assert_eq!(seen["console"], serde_json::json!([]), "errors on the console");
    assert_eq!(
        seen["requests"],
        serde_json::json!([]),
        "the page loads something"
    );
    assert_eq!(seen["dialogs"], 0, "a name ran as a script");
    assert_eq!(seen["scripts"], 1, "a name became an element");
    assert_eq!(seen["events"], 0, "a name became a handler");
    assert_eq!(seen["wide"], serde_json::json!([]), "the page scrolls sideways");
    for (look, violations) in seen["violations"].as_object().expect("looks") {
        let bad = violations
            .as_array()
            .expect("violations")
            .iter()
            .filter(|v| v["impact"] == "serious" || v["impact"] == "critical")
            .collect::<Vec<_>>();
        assert!(bad.is_empty(), "{look}: {bad:#?}");
    }
    assert_eq!(seen["violations"].as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(seen["focused"], "search", "/ goes to the search");
    assert_eq!(seen["searched"], serde_json::json!(["1 finding shown", 1]));
    assert_eq!(seen["cleared"], seen["all"], "Escape clears the search");
    assert_ne!(seen["without_blockers"], seen["all"], "levels can be left out");
    assert_eq!(seen["tabbed"], true);
    assert!(["fix copied", "selected, press Ctrl-C"].contains(&seen["said"].as_str().unwrap_or_default()));
}

/// Ten thousand findings: under 5 MB, rendered in a second or two, and still a page that can be scrolled and searched.
#[test]
fn ten_thousand_findings_stay_readable() {
    let mut identity = Judgement::new();
    for n in 0..5000 {
        identity.find(table(
            &format!("accounting_{}.order_lines_of_the_year_{n}", n % 40),
            "main",
        ));
    }
    let mut sequences = Judgement::new();
    for n in 0..5000 {
        sequences.find(Finding::new(
            format!("public.seq_{n}"),
            format!("sequence public.seq_{n} is not owned"),
        ));
    }
    let case = Case::of(
        super::facts(),
        vec![
            judged("replica-identity", "schema", Level::Blocker, identity.done()),
            judged("sequences-owned", "schema", Level::Notice, sequences.done()),
        ],
        &Policy::at(jiff::Timestamp::UNIX_EPOCH),
    );
    let begun = Instant::now();
    let html = case.render(Format::Html, false);
    let took = begun.elapsed();
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
    assert!(took < Duration::from_secs(10), "{took:?}");
    for (format, most) in [
        (Format::Table, 20_000),
        (Format::Markdown, 65_536),
        (Format::Github, 65_536),
    ] {
        let text = case.render(format, false);
        assert!(text.len() < most, "{format:?}: {} bytes", text.len());
        assert!(
            text.contains("10000") || text.contains("5000 notices"),
            "{format:?}: no total"
        );
        let lines = text.lines().count();
        assert!(lines < 200, "{format:?}: {lines} lines");
    }
    let Some(browser) = browser() else { return };
    let seen = look(browser, "large", &html, true);
    assert_eq!(seen["console"], serde_json::json!([]));
    let number = |key: &str| seen[key].as_u64().expect("a number");
    // Generous: the machine that runs tests is busy.
    assert!(number("load_ms") < 20_000, "{seen}");
    assert!(number("filter_ms") < 10_000, "{seen}");
    assert!(number("scroll_ms") < 20_000, "{seen}");
    if std::env::var("GREENLIGHT_PICTURES").is_ok() {
        let note = format!("{} bytes, rendered in {took:?}\n{seen:#}\n", html.len());
        fs::write(
            Path::new(&std::env::var("GREENLIGHT_PICTURES").expect("set")).join("large.txt"),
            note,
        )
        .expect("a note");
    }
}
