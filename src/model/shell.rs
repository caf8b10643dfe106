//! Words of a command that is printed for pasting into a shell.

/// `text` as one word for a POSIX shell, quoted only where it has to be.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    // zsh takes a word that begins with = for the path of a command.
    if !text.is_empty() && !text.starts_with('=') && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let words = [
            "main-cluster",
            "green=127.0.0.1:6433",
            "=ls",
            "",
            "a b",
            "it's",
            "''",
            "$HOME `id` $(id) \\ \"x\" !! *",
            "~",
            "# not a comment",
            "[{\"ParameterName\":\"x\",\"ParameterValue\":\"1\"}]",
            "two\nlines",
            "zürich ✓",
        ];
        for word in words {
            let script = format!("printf %s {}", quote(word));
            let ran = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .expect("a shell");
            assert_eq!(String::from_utf8_lossy(&ran.stdout), word, "{script}");
        }
        assert_eq!(
            quote("main-cluster"),
            "main-cluster",
            "no quotes where none are needed"
        );
    }
}
