//! One call from its text to its printed end: what `call` and `exec` have in common.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use proc_host_client::interface::TypeId;
use proc_host_client::text::{
    Expression, Returned, Returns, TextError, arguments_from_json, to_json,
};
use proc_host_client::{
    Arguments, CallError, Ended, Event, FunctionInfo, Outcome as Ending, Pool, Question,
    RequestError, Running,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::answer;
use crate::exit::Exit;
use crate::failure::{Failed, Outcome};
use crate::output::{self, ReaderGone};
use crate::present::Printer;
use crate::time::parse_duration;

/// How a call is made and printed.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print values as JSON; with ARGS, take the arguments from a JSON array (by position) or
    /// object (by parameter name) too, and FUNCTION has no parentheses
    #[arg(long, value_name = "ARGS", num_args = 0..=1, default_missing_value = "")]
    pub(crate) json: Option<String>,
    /// End the call after this long (500ms, 5s, 2m), or `none`
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    timeout: Option<Timeout>,
    /// Run on this worker (a slot's number, from 0)
    #[arg(long, value_name = "N")]
    worker: Option<u32>,
    /// Answer callbacks with this shell command: JSON on its standard input, JSON from its standard
    /// output; without it, the answer is null
    #[arg(long, value_name = "CMD")]
    on_callback: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Timeout {
    Never,
    After(Duration),
}

fn parse_timeout(text: &str) -> Result<Timeout, String> {
    match text {
        "none" | "never" => Ok(Timeout::Never),
        text => parse_duration(text).map(Timeout::After),
    }
}

/// What is to be called, before the function's types are known.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    text: &'a str,
    form: Form<'a>,
}

#[derive(Debug)]
enum Form<'a> {
    Wave(Expression<'a>),
    Json(&'a str),
}

impl Options {
    pub(crate) fn as_json(&self) -> bool {
        self.json.is_some()
    }

    /// Reads what was asked for: a call in WAVE, or a name and arguments in JSON.
    pub(crate) fn request<'a>(&'a self, text: &'a str) -> Result<Request<'a>, Failed> {
        let form = match self.json.as_deref() {
            None | Some("") => Form::Wave(Expression::parse(text)?),
            Some(_) if text.trim().trim_end_matches("()").contains('(') => {
                return Err(Failed::usage("the arguments are given twice")
                    .hint("where --json has them, the function has no parentheses"));
            }
            Some(arguments) => Form::Json(arguments),
        };
        Ok(Request { text, form })
    }
}

/// What `--json` has taken though it is no JSON: a positional that stands behind it.
pub(crate) fn taken_positional(options: &mut Options) -> Option<String> {
    let taken = options.json.as_mut()?;
    let is_json = taken.is_empty() || taken.trim_start().starts_with(['[', '{']);
    (!is_json).then(|| std::mem::take(taken))
}

impl Request<'_> {
    pub(crate) fn target(&self) -> &str {
        match &self.form {
            Form::Wave(expression) => expression.target(),
            Form::Json(_) => self.text.trim().trim_end_matches("()"),
        }
    }

    fn arguments(&self, info: &FunctionInfo) -> Result<Arguments, TextError> {
        match &self.form {
            Form::Wave(expression) => expression.arguments(info),
            Form::Json(text) => arguments_from_json(text, info),
        }
    }
}

/// Calls `target`, prints what comes, and says how it ended.
pub(crate) async fn invoke(
    pool: &Pool,
    target: &str,
    request: &Request<'_>,
    options: &Options,
) -> Outcome {
    let info = pool.describe(target).await.map_err(|error| match error {
        RequestError::Refused(why) => Failed::new(Exit::Denied, why),
        error => error.into(),
    })?;
    let arguments = request.arguments(&info)?;
    let mut call = pool.call_encoded::<()>(target, Ok(arguments));
    match options.timeout {
        Some(Timeout::After(limit)) => call = call.timeout(limit),
        Some(Timeout::Never) => call = call.no_deadline(),
        None => {}
    }
    if let Some(worker) = options.worker {
        call = call.worker(worker);
    }
    let interrupts = signal(SignalKind::interrupt()).map_err(|error| Failed::general(&error))?;
    let conversation = Conversation {
        running: call.start(true)?,
        answers: FuturesUnordered::new(),
        reader_gone: Box::pin(output::reader_gone()),
        interrupts,
        printer: Printer {
            info: &info,
            as_json: options.as_json(),
        },
        returns: Returns::of(&info),
        command: options.on_callback.as_deref(),
        quiet: false,
    };
    match conversation.run().await {
        Ok(()) | Err(End::ReaderGone) => Ok(Exit::Success),
        Err(End::Failed(failed)) => Err(failed),
    }
}

/// A call under way, and what its user and its guest may do meanwhile.
struct Conversation<'a> {
    running: Running,
    answers: FuturesUnordered<LocalBoxFuture<'static, ()>>,
    /// Resolves where nobody reads the output any more.
    reader_gone: LocalBoxFuture<'static, ()>,
    interrupts: Signal,
    printer: Printer<'a>,
    returns: Returns,
    command: Option<&'a str>,
    /// No callback can come any more.
    quiet: bool,
}

/// Why a conversation ends early.
enum End {
    /// Nobody reads the output: the guest need not go on.
    ReaderGone,
    Failed(Failed),
}

impl From<ReaderGone> for End {
    fn from(_: ReaderGone) -> End {
        End::ReaderGone
    }
}

impl From<Failed> for End {
    fn from(failed: Failed) -> End {
        End::Failed(failed)
    }
}

impl Conversation<'_> {
    async fn run(mut self) -> Result<(), End> {
        let ended = self.ended().await?;
        match (self.returns.returned, ended.outcome) {
            (Returned::Value(id), Ending::Returned(value)) => {
                let printer = self.printer;
                let printed = self.beside(printer.value(id, value)).await?;
                Ok(printed?)
            }
            (Returned::Items(id), outcome @ Ending::Returned(_)) => {
                self.items(id, Ended { outcome, ..ended }).await
            }
            (_, outcome) => {
                let error = self.running.error(Ended { outcome, ..ended });
                Err(End::Failed(self.failed(error)))
            }
        }
    }

    /// Waits for the end of the call; an interrupt cancels it, a second one gives it up.
    async fn ended(&mut self) -> Result<Ended, End> {
        let mut cancelled = false;
        loop {
            tokio::select! {
                event = self.running.event() => match event {
                    Some(Event::Ended(ended)) => return Ok(ended),
                    Some(Event::Callback(question)) => self.asked(question)?,
                    None => return Err(Failed::new(Exit::Unknown, "the call is lost").into()),
                },
                Some(()) = self.answers.next(), if !self.answers.is_empty() => {}
                _ = self.interrupts.recv() => {
                    if cancelled {
                        return Err(interrupted());
                    }
                    cancelled = true;
                    self.running.cancel();
                }
                () = &mut self.reader_gone => return Err(End::ReaderGone),
            }
        }
    }

    async fn items(mut self, id: Option<TypeId>, ended: Ended) -> Result<(), End> {
        let generator = self.running.generator(ended);
        let mut generator = generator.map_err(|error| self.failed(error))?;
        loop {
            match self.beside(generator.next()).await? {
                Some(Ok(item)) => output::line(&self.printer.text(id, &item)?)?,
                Some(Err(error)) => return Err(End::Failed(self.failed(error))),
                None => return Ok(()),
            }
        }
    }

    /// Awaits `work` while callbacks are answered, the user may interrupt, and the reader may go.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                _ = self.interrupts.recv() => return Err(interrupted()),
                done = &mut work => return Ok(done),
                event = self.running.event(), if !self.quiet => match event {
                    Some(Event::Callback(question)) => self.asked(question)?,
                    Some(Event::Ended(_)) => {}
                    None => self.quiet = true,
                },
                Some(()) = self.answers.next(), if !self.answers.is_empty() => {}
                () = &mut self.reader_gone => return Err(End::ReaderGone),
            }
        }
    }

    fn asked(&mut self, question: Question) -> Result<(), ReaderGone> {
        answer::show(&question, self.printer.as_json)?;
        let command = self.command.map(str::to_owned);
        self.answers
            .push(Box::pin(answer::answer(question, command)));
        Ok(())
    }

    /// An error, with what was raised in the words of its type.
    fn failed(&self, error: CallError) -> Failed {
        let raised = match error.outcome() {
            Some(Ending::Raised(value)) => self.returns.raised.map(|id| (id, value)),
            _ => None,
        };
        let Some((id, value)) = raised else {
            return error.into();
        };
        let wave = Printer {
            as_json: false,
            ..self.printer
        }
        .text(Some(id), value);
        let json = to_json(&self.printer.info.interface, id, value)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok());
        let message = match wave {
            Ok(wave) => format!("{} raised {wave}", error.place()),
            Err(_) => error.to_string(),
        };
        let mut failed = Failed::from(error);
        failed.message = message;
        if let Some(value) = json {
            failed.details["value"] = value;
        }
        failed
    }
}

fn interrupted() -> End {
    End::Failed(Failed::new(Exit::Cancelled, "interrupted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: Option<&str>) -> Options {
        Options {
            json: json.map(str::to_owned),
            timeout: None,
            worker: None,
            on_callback: None,
        }
    }

    #[test]
    fn json_keeps_what_is_json_and_gives_back_what_is_not() {
        for (given, taken, left) in [
            (None, None, None),
            (Some(""), None, Some("")),
            (Some("[1]"), None, Some("[1]")),
            (Some(" {\"a\": 1}"), None, Some(" {\"a\": 1}")),
            (Some("Workers"), Some("Workers"), Some("")),
        ] {
            let mut options = options(given);
            assert_eq!(taken_positional(&mut options).as_deref(), taken);
            assert_eq!(options.json.as_deref(), left);
        }
    }

    #[test]
    fn json_arguments_go_with_a_bare_name() {
        let wave = options(None);
        let names = |request: Request<'_>| request.target() == "m.f";
        assert!(wave.request("m.f(1)").is_ok_and(names));
        assert!(wave.request("m.f").is_err());
        let json = options(Some("[1]"));
        for text in ["m.f", "m.f()", " m.f "] {
            assert!(json.request(text).is_ok_and(names));
        }
        assert!(json.request("m.f(1)").is_err());
    }
}
