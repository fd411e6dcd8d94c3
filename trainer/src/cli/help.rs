//! Help of the whole program: verbs under headings, completions for shells, the man page.

use clap::{Arg, Command, CommandFactory};

use super::output::{Ended, print};

/// Every verb that is not hidden, under its heading.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Training", &["data", "recipes", "fit", "report", "bench"]),
    ("Generators", &["sample", "interpolate", "arithmetic", "evaluate"]),
    ("Autoencoders", &["reconstruct", "restore", "anomalies", "duplicates"]),
    ("Files", &["export", "import"]),
];

/// Lets every option take a negative number, so that a value that is out of range is refused by the option that it
/// belongs to, and not as an unknown option.
fn negative(command: Command) -> Command {
    let takes = |arg: Arg| match arg.is_positional() || !arg.get_action().takes_values() {
        true => arg,
        false => arg.allow_negative_numbers(true),
    };
    command.mut_args(takes).mut_subcommands(negative)
}

/// The command with its verbs listed under four headings.
pub fn grouped(command: Command) -> Command {
    let command = negative(command);
    let mut text = String::new();
    for (heading, verbs) in GROUPS {
        text += &format!("\x1b[1m\x1b[4m{heading}:\x1b[0m\n");
        for name in verbs {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text += &format!("  \x1b[1m{name:<12}\x1b[0m {about}\n");
        }
        text.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{text}\
         \x1b[1m\x1b[4mOptions:\x1b[0m\n{{options}}{{after-help}}"
    ))
}

/// Arguments of the hidden verb `completions`.
#[derive(clap::Args)]
pub struct Completions {
    /// The shell to write completions for
    shell: clap_complete::Shell,
}

/// Prints completions for a shell.
///
/// # Errors
/// If standard output cannot be written.
pub fn completions<C: CommandFactory>(args: &Completions) -> Ended {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut C::command(), "trainer", &mut text);
    Ok(print(String::from_utf8_lossy(&text))?)
}

/// Prints the man page: the program, then every verb.
///
/// # Errors
/// If standard output cannot be written.
pub fn man<C: CommandFactory>() -> Ended {
    let command = C::command();
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let verb = verb.clone().display_name(format!("trainer-{}", verb.get_name()));
        clap_mangen::Man::new(verb).render(&mut text)?;
    }
    Ok(print(String::from_utf8_lossy(&text))?)
}

/// Whether every visible verb of `command` stands under exactly one heading.
#[cfg(test)]
pub fn every_verb_has_a_heading(command: &Command) -> bool {
    let mut listed: Vec<&str> =
        GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
    let visible = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut all: Vec<&str> = visible.map(Command::get_name).collect();
    listed.sort_unstable();
    all.sort_unstable();
    listed == all
}
