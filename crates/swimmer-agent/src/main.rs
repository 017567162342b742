//! The swimmer agent: one member of a cluster, whose view of it ticks in the terminal.

#![forbid(unsafe_code)]

mod args;
mod demo;
mod escape;
mod feed;
mod json;
mod narrator;
mod printer;
mod reader;
mod report;
mod run;
mod signals;
mod table;
mod tags;
mod text;

use std::process::ExitCode;

use args::Invocation;

fn main() -> ExitCode {
    match args::parse(std::env::args_os()) {
        Invocation::Agent(args) => run::main(*args),
        Invocation::Demo(args) => demo::main(&args),
        Invocation::Exit(code) => code,
    }
}
