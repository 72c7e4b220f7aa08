//! Callbacks on the command line: printed, and answered by a command of the user's.

use std::io;
use std::process::Stdio;

use proc_host_client::Question;
use proc_host_client::text::{untyped_to_json, value_from_json};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::output::{self, ReaderGone};

/// Prints a callback on a line of its own.
pub(crate) fn show(question: &Question, as_json: bool) -> Result<(), ReaderGone> {
    let payload = untyped_to_json(question.body()).unwrap_or_else(|_| "null".to_owned());
    if as_json {
        return output::line(&format!("{{\"callback\":{payload}}}"));
    }
    output::line(&format!("callback: {payload}"))
}

/// Answers with what `command` makes of it, or with null.
pub(crate) async fn answer(question: Question, command: Option<String>) {
    let Some(command) = command else {
        return question.answer(&Value::Null);
    };
    let payload = untyped_to_json(question.body()).unwrap_or_else(|_| "null".to_owned());
    let answered = match ask(&command, payload).await {
        Ok(text) => value_from_json(&text)
            .map_err(|error| format!("`{command}` printed no JSON: {}", error.message())),
        Err(why) => Err(why),
    };
    match answered {
        Ok(body) => question.answer_encoded(body),
        Err(why) => {
            output::warn(&why);
            question.fail(why);
        }
    }
}

/// The output of a shell command that is given `input`.
async fn ask(command: &str, input: String) -> Result<String, String> {
    let failed = |error: io::Error| format!("failed to run `{command}`: {error}");
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take();
    let give = async {
        if let Some(mut stdin) = stdin {
            // A command that does not care for the value may have closed it.
            let _ = stdin.write_all(format!("{input}\n").as_bytes()).await;
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), give);
    let output = output.map_err(failed)?;
    if !output.status.success() {
        return Err(format!("`{command}` failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{command}` printed no text"))
}
