//! The command line.

mod config;
mod project;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use vestibule_core::Registry;

use crate::serve;

const EXAMPLES: &str = "\
Examples:
  vestibule                                  serve what config/vestibule.toml says
  vestibule --config /etc/vestibule.toml     serve another file
  vestibule config check                     say what is wrong with the file, and where
  vestibule project new --name studio        print a new project to paste into it

Settings can be overridden by environment variables VESTIBULE__SECTION__KEY, for instance
VESTIBULE__SERVER__LISTEN=0.0.0.0:8080.

Exit codes: 0 all well, 1 something is wrong or failed, 2 the command line is wrong.";

/// A federating identity broker: one interface for apps, any identity provider behind it.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, after_help = EXAMPLES)]
struct Cli {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "VESTIBULE_CONFIG",
        default_value = "config/vestibule.toml"
    )]
    config: PathBuf,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop. The default.
    ///
    /// SIGHUP or a changed file reads the configuration again; a bad one is reported and not
    /// used. SIGTERM or Ctrl-C finishes what was accepted; a second one ends at once.
    Serve,
    /// Check the configuration, or print its schema.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make projects.
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Print completions for a shell.
    #[command(
        after_help = "Example:\n  vestibule completions bash > /etc/bash_completion.d/vestibule"
    )]
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with a configuration: file, line and what to do.
    ///
    /// Nothing is started and nothing is reached over the network. Secrets are resolved, so run
    /// it where the broker runs.
    Check {
        /// The file; that of --config when left out.
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
}

#[derive(Debug, Subcommand)]
enum ProjectCommand {
    /// Print a project with a fresh id, ready to paste into the configuration.
    #[command(after_help = "Examples:
  vestibule project new --name studio >> config/vestibule.toml
  vestibule project new --name studio --file > config/projects/studio.toml
  vestibule project new --name studio --origin https://game.example --provider anonymous")]
    New(project::New),
}

/// Runs the command line of this process.
pub(crate) fn run(registry: Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, with code 0. A closed pipe is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match execute(cli, registry) {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked; answers what goes to stdout, or what goes to stderr with exit code 1.
fn execute(cli: Cli, registry: Registry) -> Result<String, String> {
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(registry, &cli.config).map(|()| String::new()),
        Command::Config(ConfigCommand::Check { file }) => {
            config::check(registry, &file.unwrap_or(cli.config))
        }
        Command::Config(ConfigCommand::Schema) => Ok(crate::config::schema(&registry)),
        Command::Project(ProjectCommand::New(new)) => {
            new.print(&crate::ports::OsEntropy, &registry)
        }
        Command::Completions { shell } => Ok(completions(shell)),
    }
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vestibule", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The one place that writes to stdout. A reader that went away is no failure.
fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// The one place that writes to stderr, besides the log.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn execute_line(line: &[&str]) -> Result<String, String> {
        let cli = Cli::try_parse_from(line).unwrap();
        execute(cli, crate::builtins())
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serving_is_the_default() {
        let cli = Cli::try_parse_from(["vestibule"]).unwrap();
        assert!(cli.command.is_none());
        let cli = Cli::try_parse_from(["vestibule", "serve", "--config", "x.toml"]).unwrap();
        assert_eq!(cli.config, PathBuf::from("x.toml"));
    }

    #[test]
    fn a_wrong_command_line_has_exit_code_2() {
        let error = Cli::try_parse_from(["vestibule", "--nonsense"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let error = Cli::try_parse_from(["vestibule", "--help"]).unwrap_err();
        assert_eq!(error.exit_code(), 0);
    }

    #[test]
    fn what_project_new_prints_passes_the_check() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vestibule.toml");
        let name = "a \"quoted\" name";
        let block = execute_line(&["vestibule", "project", "new", "--name", name]).unwrap();
        std::fs::write(&file, block).unwrap();
        let path = file.display().to_string();
        let said = execute_line(&["vestibule", "config", "check", &path]).unwrap();
        assert_eq!(said, "ok: 1 project, 2 providers\n");
    }

    #[test]
    fn completions_name_the_commands() {
        let script = execute_line(&["vestibule", "completions", "bash"]).unwrap();
        assert!(script.contains("project"), "{script}");
    }
}
