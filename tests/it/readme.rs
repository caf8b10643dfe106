//! README.md says what is so: its commands parse, its exit codes are the documented ones, its policy file loads.

use std::path::Path;

use clap::Parser as _;
use greenlight::{checks, cli::Cli, config, exit::Exit, policy::Policy};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md")
}

/// The contents of the fenced blocks of one kind.
fn blocks(text: &str, kind: &str) -> Vec<String> {
    text.split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n').map(str::to_owned))
        .collect()
}

#[test]
fn every_greenlight_command_in_it_parses() {
    let mut seen = 0;
    for block in blocks(&readme(), "text") {
        for line in block.lines().filter(|line| line.starts_with("greenlight ")) {
            // What is explained stands behind at least two spaces.
            let command = line.split("  ").next().expect("a line");
            Cli::try_parse_from(command.split(' ')).unwrap_or_else(|e| panic!("{command}: {e}"));
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen} commands");
}

#[test]
fn the_two_commands_are_those_that_exist() {
    let consoles = blocks(&readme(), "console").concat();
    assert!(consoles.contains("$ cargo demo") && consoles.contains("$ cargo test"));
    let config = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/config.toml"));
    assert!(
        config
            .expect("the aliases")
            .contains("demo = \"run --quiet --example demo\"")
    );
    let ci = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).expect(".ci/run");
    assert!(
        ci.contains("\nstep cargo test\n"),
        "the same command as in README"
    );
}

#[test]
fn its_exit_codes_are_the_documented_ones() {
    let readme = readme();
    for (exit, meaning) in Exit::ALL {
        let row = format!("| {} | {meaning} |", exit.code());
        assert!(readme.contains(&row), "README lacks {row}");
    }
}

#[test]
fn its_policy_file_loads() {
    for block in blocks(&readme(), "toml") {
        let mut policy = Policy::at(greenlight::edge::clock::now());
        config::apply(&mut policy, Path::new("greenlight.toml"), &block).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(policy.waivers.len(), 1);
    }
}

/// The report in it names only checks that exist, so that it cannot grow old unseen.
#[test]
fn its_report_is_of_this_catalogue() {
    let readme = readme();
    let mut explained = 0;
    for line in readme
        .lines()
        .filter_map(|line| line.trim().strip_prefix("more      greenlight explain "))
    {
        assert!(checks::find(line).is_some(), "there is no check {line}");
        explained += 1;
    }
    assert!(explained > 0, "README shows a report");
}
