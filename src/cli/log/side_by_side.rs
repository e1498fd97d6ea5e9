//! Takes blocks of lines apart in several threads, and counts them in their order in one.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};

use crate::log::block::LineBlock;
use crate::log::intake::Intake;

/// Bytes that are read at once; far more than the longest line.
pub(super) const BLOCK: usize = 512 * 1024;

/// The most threads: one that counts cannot keep up with more.
const MAX_HELPERS: usize = 4;

/// The blocks that each thread has at most, done or not.
const AHEAD: usize = 3;

/// A thread that takes blocks apart.
struct Helper {
    blocks: Sender<Vec<u8>>,
    done: Receiver<LineBlock>,
}

impl Helper {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>) -> Self {
        let (blocks, work) = channel();
        let (results, done) = channel();
        scope.spawn(move || {
            for block in work {
                if results.send(LineBlock::read(block)).is_err() {
                    return;
                }
            }
        });
        Self { blocks, done }
    }
}

/// Reads every block that `next` fills the buffer with, until it returns `false`; returns the number of lines.
pub(super) fn read(mut next: impl FnMut(&mut Vec<u8>) -> bool, intake: &mut Intake) -> u64 {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut lines = 0;
    let mut spare: Vec<Vec<u8>> = Vec::new();
    thread::scope(|scope| {
        let mut helpers: Vec<Helper> = Vec::new();
        let mut busy: VecDeque<usize> = VecDeque::new();
        let mut turn = 0;
        let mut count = |block: LineBlock, spare: &mut Vec<Vec<u8>>| {
            lines += block.lines;
            intake.block(&block);
            spare.push(block.into_bytes());
        };
        loop {
            let mut buffer = spare.pop().unwrap_or_default();
            if !next(&mut buffer) {
                break;
            }
            // A short log is read before a thread has started.
            if helpers.is_empty() && (cores == 1 || buffer.len() < BLOCK / 2) {
                count(LineBlock::read(buffer), &mut spare);
                continue;
            }
            if helpers.is_empty() {
                helpers.extend((0..cores.min(MAX_HELPERS)).map(|_| Helper::start(scope)));
            }
            if busy.len() >= AHEAD * helpers.len()
                && let Some(block) =
                    busy.pop_front().and_then(|helper| helpers[helper].done.recv().ok())
            {
                count(block, &mut spare);
            }
            let helper = turn % helpers.len();
            turn += 1;
            match helpers[helper].blocks.send(buffer) {
                Ok(()) => busy.push_back(helper),
                // Only if the thread is gone, which ends the scope as well.
                Err(lost) => count(LineBlock::read(lost.0), &mut spare),
            }
        }
        while let Some(helper) = busy.pop_front() {
            if let Ok(block) = helpers[helper].done.recv() {
                count(block, &mut spare);
            }
        }
    });
    lines
}
