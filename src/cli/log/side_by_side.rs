//! Takes blocks of lines apart in several threads, and counts them in their order in one.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};

use crate::log::block::{BlockReader, LineBlock};
use crate::log::buffer::LineBuffer;
use crate::log::intake::Intake;

/// Bytes that are read at once; far more than the longest line.
pub(super) const BLOCK: usize = 512 * 1024;

/// The most threads: one that counts cannot keep up with more.
const MAX_HELPERS: usize = 4;

/// The blocks that each thread has at most, done or not.
const AHEAD: usize = 3;

/// A thread that takes blocks apart.
struct Helper {
    blocks: Sender<LineBlock>,
    done: Receiver<LineBlock>,
}

impl Helper {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>) -> Self {
        let (blocks, work) = channel::<LineBlock>();
        let (results, done) = channel();
        scope.spawn(move || {
            let mut reader = BlockReader::default();
            for mut block in work {
                reader.read(&mut block);
                if results.send(block).is_err() {
                    return;
                }
            }
        });
        Self { blocks, done }
    }
}

/// Reads every block that `next` fills the buffer with, until it returns `false`; returns the number of lines.
pub(super) fn read(mut next: impl FnMut(&mut LineBuffer) -> bool, intake: &mut Intake) -> u64 {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut lines = 0;
    let mut spare: Vec<LineBlock> = Vec::new();
    let mut reader = BlockReader::default();
    thread::scope(|scope| {
        let mut helpers: Vec<Helper> = Vec::new();
        let mut busy: VecDeque<usize> = VecDeque::new();
        let mut turn = 0;
        let mut count = |block: LineBlock, spare: &mut Vec<LineBlock>| {
            lines += block.lines;
            intake.block(&block);
            spare.push(block);
        };
        loop {
            let mut block = spare.pop().unwrap_or_default();
            if !next(&mut block.bytes) {
                break;
            }
            // A short log is read before a thread has started.
            if helpers.is_empty() && (cores == 1 || block.bytes.len() < BLOCK / 2) {
                reader.read(&mut block);
                count(block, &mut spare);
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
            match helpers[helper].blocks.send(block) {
                Ok(()) => busy.push_back(helper),
                // Only if the thread is gone, which ends the scope as well.
                Err(lost) => {
                    let mut block = lost.0;
                    reader.read(&mut block);
                    count(block, &mut spare);
                }
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
