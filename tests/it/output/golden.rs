//! Each format as it stands.

use greenlight::output::Format;

use super::{Case, HOSTILE};

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    settings.add_filter(
        &format!("\\b{}\\b", env!("CARGO_PKG_VERSION").replace('.', "\\.")),
        "VERSION",
    );
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn table() {
    let text = Case::all_kinds().render(Format::Table, false);
    snapshot("table", &text);
}

#[test]
fn table_in_colour() {
    let text = Case::all_kinds().render(Format::Table, true);
    snapshot("table-colour", &text.replace('\u{1b}', "ESC"));
    // The only escapes are our own.
    let own = |rest: &str| rest.starts_with('[') && rest.find('m').is_some_and(|at| at < 12);
    assert!(text.split('\u{1b}').skip(1).all(own));
}

#[test]
fn json() {
    snapshot("json", &Case::all_kinds().render(Format::Json, false));
}

#[test]
fn markdown() {
    snapshot("markdown", &Case::all_kinds().render(Format::Markdown, false));
}

#[test]
fn junit() {
    snapshot("junit", &Case::all_kinds().render(Format::Junit, false));
}

#[test]
fn sarif() {
    snapshot("sarif", &Case::all_kinds().render(Format::Sarif, false));
}

#[test]
fn github() {
    snapshot("github", &Case::all_kinds().render(Format::Github, false));
}

#[test]
fn gitlab() {
    snapshot("gitlab", &Case::all_kinds().render(Format::Gitlab, false));
}

/// The same report gives the same bytes.
#[test]
fn rendering_is_repeatable() {
    for format in <Format as clap::ValueEnum>::value_variants() {
        let once = Case::all_kinds().render(*format, false);
        assert_eq!(once, Case::all_kinds().render(*format, false), "{format:?}");
    }
}

/// No format for people or machines hands a hostile name through raw.
#[test]
fn hostile_names_are_escaped_everywhere() {
    for format in <Format as clap::ValueEnum>::value_variants() {
        let text = Case::all_kinds().render(*format, false);
        assert!(!text.contains('\u{1b}'), "{format:?}: an escape");
        match format {
            // Characters there are data: JSON strings, and text on a terminal.
            Format::Json | Format::Sarif | Format::Gitlab | Format::Table | Format::Github => {}
            Format::Markdown => {
                use pulldown_cmark::{Event, Options, Parser};
                for event in Parser::new_ext(&text, Options::all()) {
                    if let Event::Html(tag) | Event::InlineHtml(tag) = event {
                        assert!(!tag.contains("script"), "a tag: {tag}");
                    }
                }
            }
            Format::Html | Format::Junit => assert!(!text.contains("<script>alert"), "{format:?}: raw HTML"),
        }
        // Neither a runner's command nor a line of its own.
        let injected = text
            .lines()
            .any(|line| line.trim_start().starts_with("::error::owned"));
        assert!(!injected, "{format:?}: a command");
        if !matches!(format, Format::Json | Format::Sarif) {
            assert!(!text.contains(HOSTILE), "{format:?}: the name as it is");
            assert!(
                !text.contains('\u{202e}'),
                "{format:?}: a mark that turns the direction of writing"
            );
        }
    }
}

/// What a reader must never miss is in every format: each open finding that is listed, blind spots, waived findings.
#[test]
fn nothing_open_is_left_out() {
    for format in <Format as clap::ValueEnum>::value_variants() {
        let text = Case::all_kinds().render(*format, false);
        for needle in ["public.orders", "max_replication_slots", "public.old"] {
            let markdown = needle.replace('_', "&#95;");
            assert!(
                text.contains(needle) || text.contains(&markdown),
                "{format:?}: {needle}"
            );
        }
        assert!(text.contains("dark"), "{format:?}: a blind spot");
        if !matches!(format, Format::Github | Format::Gitlab) {
            assert!(text.contains("audit.entries"), "{format:?}: a waived finding");
        }
    }
}

/// The page without its style and script, which have tests of their own.
#[test]
fn html() {
    let text = Case::all_kinds().render(Format::Html, false);
    let cut = |text: String, tag: &str| {
        let (head, rest) = text.split_once(&format!("<{tag}>")).expect("one of them");
        let (_, tail) = rest.split_once(&format!("</{tag}>")).expect("its end");
        format!("{head}<{tag}>…</{tag}>{tail}")
    };
    let text = cut(cut(text, "style"), "script");
    let hashes = text
        .split('\'')
        .filter(|part| part.starts_with("sha256-"))
        .map(str::to_owned);
    let text = hashes
        .collect::<Vec<_>>()
        .iter()
        .fold(text, |text, hash| text.replace(hash, "sha256-…"));
    snapshot("html", &text);
}
