//! Lists what a server accepts: offer everything, remove what it chose, and offer the rest until it refuses.

use std::collections::VecDeque;
use std::future::Future;

use crate::observation::scan::{Listing, Order};
use crate::observation::{Cause, Failure, Stage};
use crate::tls::alert::AlertDescription;

/// A server's answer to an offer.
#[derive(Clone, Debug)]
pub(super) enum Reply<T> {
    /// It chose this one.
    Chose(T),
    /// It refused all offers.
    Refused(Cause),
    /// It answered, and used none of the offers.
    Passed,
    /// There was no usable answer, so nothing is known.
    Unclear(Failure),
}

/// How to offer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner<T> {
    /// The most offers in one hello.
    pub(super) batch: usize,
    /// An offer that every hello must contain besides those that it asks about; once chosen, it is offered last.
    pub(super) companion: Option<T>,
    /// Whether to find out whose order of preference applies.
    pub(super) ordered: bool,
}

impl<T> Manner<T> {
    /// Everything in one hello, in any order.
    pub(super) fn at_once() -> Self {
        Self { batch: usize::MAX, companion: None, ordered: false }
    }
}

/// Lists which of `offers` the server accepts. `ask` sends one hello; `key` says which of the offers an answer chose.
pub(super) async fn exhaust<T, A, F>(
    offers: Vec<T>,
    manner: Manner<T>,
    key: impl Fn(&A) -> T,
    ask: impl Fn(Vec<T>) -> F,
) -> Listing<A>
where
    T: Clone + PartialEq,
    A: Clone,
    F: Future<Output = Reply<A>>,
{
    go_on(Vec::new(), offers, manner, key, ask).await
}

/// The same where some answers are known.
pub(super) async fn go_on<T, A, F>(
    known: Vec<A>,
    offers: Vec<T>,
    manner: Manner<T>,
    key: impl Fn(&A) -> T,
    ask: impl Fn(Vec<T>) -> F,
) -> Listing<A>
where
    T: Clone + PartialEq,
    A: Clone,
    F: Future<Output = Reply<A>>,
{
    let ordered = manner.ordered;
    let mut left = offers;
    left.retain(|offer| !known.iter().any(|answer| key(answer) == *offer));
    let listing = Listing { accepted: known, ..Listing::default() };
    let mut search = ListingSearch { manner, key, ask, listing, batches: 0, splits: 0 };
    while !left.is_empty() && search.listing.cut_short.is_none() {
        let batch: Vec<T> = left.drain(..left.len().min(search.manner.batch)).collect();
        search.batch(batch).await;
        if search.listing.accepted.is_empty() && is_about_version(search.listing.refusal.as_ref()) {
            break;
        }
    }
    if ordered && search.listing.cut_short.is_none() {
        search.settle_order().await;
    }
    search.listing
}

/// Whether a refusal applies to the version as a whole.
fn is_about_version(refusal: Option<&Cause>) -> bool {
    refusal == Some(&Cause::Alert(AlertDescription::PROTOCOL_VERSION))
}

struct ListingSearch<T, A, K, Q> {
    manner: Manner<T>,
    key: K,
    ask: Q,
    listing: Listing<A>,
    /// Batches with an accepted offer. The order across batches is not known.
    batches: usize,
    /// Hellos sent so far for parts of lists on which the server closes the connection.
    splits: usize,
}

/// The most hellos for parts of lists on which a server closes the connection.
const MAX_SPLITS: usize = 24;

/// Both halves of a list.
fn halves<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    let (first, second) = list.split_at(list.len().div_ceil(2));
    [first, second].into_iter().filter(|half| !half.is_empty()).map(<[T]>::to_vec).collect()
}

impl<T, A, K, Q, F> ListingSearch<T, A, K, Q>
where
    T: Clone + PartialEq,
    A: Clone,
    K: Fn(&A) -> T,
    Q: Fn(Vec<T>) -> F,
    F: Future<Output = Reply<A>>,
{
    async fn batch(&mut self, mut left: Vec<T>) {
        let before = self.listing.accepted.len();
        while !left.is_empty() {
            match (self.ask)(self.with_companion(&left)).await {
                Reply::Chose(answer) => {
                    let chosen = (self.key)(&answer);
                    if self.is_accepted(&chosen) {
                        // It was only added to the offers, and the server chose it rather than any of the others.
                        break;
                    }
                    if !left.contains(&chosen) {
                        self.cut_short("the server chose something that was not offered");
                        break;
                    }
                    left.retain(|offer| *offer != chosen);
                    self.listing.accepted.push(answer);
                }
                Reply::Refused(cause) => {
                    self.refused(cause, left).await;
                    break;
                }
                Reply::Passed => {
                    let why = "the server continued with none of what was offered";
                    self.listing.refusal = Some(Cause::Incompatible(why.to_owned()));
                    break;
                }
                Reply::Unclear(failure) => {
                    self.listing.cut_short = Some(failure);
                    break;
                }
            }
        }
        self.batches += usize::from(self.listing.accepted.len() > before);
    }

    fn with_companion(&self, left: &[T]) -> Vec<T> {
        let missing = self.manner.companion.iter().filter(|companion| !left.contains(companion));
        left.iter().chain(missing).cloned().collect()
    }

    fn is_accepted(&self, item: &T) -> bool {
        self.listing.accepted.iter().any(|answer| (self.key)(answer) == *item)
    }

    /// An alert is an answer. If the connection just ends, the server may have reached a limit, which repeating an
    /// accepted hello shows. Or it closes the connection on one of the offers: then the list is split into ever smaller
    /// parts.
    async fn refused(&mut self, cause: Cause, left: Vec<T>) {
        if !matches!(cause, Cause::Closed | Cause::Reset) {
            self.listing.refusal = Some(cause);
            return;
        }
        if let Some(control) = self.listing.accepted.first().map(&self.key)
            && let Reply::Refused(cause) | Reply::Unclear(Failure { cause, .. }) =
                (self.ask)(self.with_companion(&[control])).await
        {
            self.listing.cut_short = Some(Failure { stage: Stage::Handshake, cause });
            return;
        }
        self.listing.refusal = Some(cause);
        self.by_halves(&left).await;
    }

    /// Asks about a part until nothing more of it is accepted; returns the offers on which the server closed the
    /// connection.
    async fn until_refused(&mut self, mut part: Vec<T>) -> Result<Option<Vec<T>>, Failure> {
        while !part.is_empty() {
            if self.splits >= self.most_splits() {
                return Ok(Some(part));
            }
            self.splits += 1;
            match (self.ask)(self.with_companion(&part)).await {
                Reply::Chose(answer) => {
                    let chosen = (self.key)(&answer);
                    if self.is_accepted(&chosen) || !part.contains(&chosen) {
                        return Ok(None);
                    }
                    part.retain(|offer| *offer != chosen);
                    self.listing.accepted.push(answer);
                    // A hello that finds something does not count against the limit.
                    self.splits = self.splits.saturating_sub(1);
                }
                Reply::Refused(Cause::Closed | Cause::Reset) => return Ok(Some(part)),
                Reply::Refused(_) | Reply::Passed => return Ok(None),
                Reply::Unclear(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    /// Searches, by halving, offers on which together the server closes the connection.
    async fn by_halves(&mut self, left: &[T]) {
        let before = self.listing.accepted.len();
        let mut parts = VecDeque::from(halves(left));
        while let Some(part) = parts.pop_front() {
            let refused = match self.until_refused(part).await {
                Ok(refused) => refused,
                Err(failure) => {
                    self.listing.cut_short = Some(failure);
                    return;
                }
            };
            let spent = self.splits >= self.most_splits();
            // If the server closed the connection on every part, that is how it refuses; if not, the list may be
            // incomplete.
            let found = self.listing.accepted.len() > before;
            match refused {
                Some(part) if spent && found && part.len() > 1 => {
                    self.cut_short("the server closes the connection on some of what is offered");
                    return;
                }
                Some(_) if spent => {}
                Some(part) if part.len() > 1 => parts.extend(halves(&part)),
                _ => {}
            }
        }
    }

    /// If nothing is accepted at all, the server most likely refuses the version, so few more hellos are sent.
    fn most_splits(&self) -> usize {
        if self.listing.accepted.is_empty() { MAX_SPLITS / 4 } else { MAX_SPLITS }
    }

    fn cut_short(&mut self, why: &str) {
        let cause = Cause::ProtocolError(why.to_owned());
        self.listing.cut_short = Some(Failure { stage: Stage::Handshake, cause });
    }

    /// Finds out whose order applies, by offering the accepted ones in reverse.
    async fn settle_order(&mut self) {
        if !(2..=self.manner.batch).contains(&self.listing.accepted.len()) {
            return;
        }
        if self.batches > 1 {
            self.sort_again().await;
        }
        let keys: Vec<T> = self.listing.accepted.iter().map(&self.key).collect();
        let reversed: Vec<T> = keys.iter().rev().cloned().collect();
        let Reply::Chose(answer) = (self.ask)(reversed).await else { return };
        let chosen = (self.key)(&answer);
        self.listing.order = Some(match () {
            () if keys.first() == Some(&chosen) => Order::Server,
            () if keys.last() == Some(&chosen) => Order::Client,
            () => Order::Mixed,
        });
    }

    /// Finds the whole order if there were several batches.
    async fn sort_again(&mut self) {
        let mut left: Vec<T> = self.listing.accepted.iter().map(&self.key).collect();
        let mut sorted = Vec::new();
        while let [_, _, ..] = left.as_slice() {
            let Reply::Chose(answer) = (self.ask)(left.clone()).await else { return };
            let chosen = (self.key)(&answer);
            let before = left.len();
            left.retain(|offer| *offer != chosen);
            if left.len() == before {
                return;
            }
            sorted.push(answer);
        }
        let rest = self.listing.accepted.iter().filter(|answer| left.contains(&(self.key)(answer)));
        sorted.extend(rest.cloned());
        self.listing.accepted = sorted;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const ALONE: Manner<u8> = Manner { batch: 4, companion: None, ordered: true };

    fn refused() -> Reply<u8> {
        Reply::Refused(Cause::Alert(AlertDescription::HANDSHAKE_FAILURE))
    }

    /// A server with its own order of preference.
    fn server(order: &'static [u8]) -> impl Fn(Vec<u8>) -> std::future::Ready<Reply<u8>> {
        move |offers| {
            let chosen = order.iter().find(|item| offers.contains(item));
            std::future::ready(chosen.map_or_else(refused, |item| Reply::Chose(*item)))
        }
    }

    /// A server that accepts the client's first.
    fn follower(takes: &'static [u8]) -> impl Fn(Vec<u8>) -> std::future::Ready<Reply<u8>> {
        move |offers| {
            let chosen = offers.iter().find(|item| takes.contains(item));
            std::future::ready(chosen.map_or_else(refused, |item| Reply::Chose(*item)))
        }
    }

    fn listing(accepted: &[u8], order: Option<Order>) -> Listing<u8> {
        let refusal = Some(Cause::Alert(AlertDescription::HANDSHAKE_FAILURE));
        Listing { accepted: accepted.to_vec(), order, refusal, cut_short: None }
    }

    #[tokio::test]
    async fn a_server_that_prefers_is_listed_in_its_order_even_across_batches() {
        let found = exhaust((1..=9).collect(), ALONE, |item| *item, server(&[8, 2, 3])).await;
        assert_eq!(found, listing(&[8, 2, 3], Some(Order::Server)));
    }

    #[tokio::test]
    async fn a_server_that_follows_is_known_by_it() {
        let found = exhaust((1..=9).collect(), ALONE, |item| *item, follower(&[8, 2, 3])).await;
        assert_eq!(found, listing(&[2, 3, 8], Some(Order::Client)));
    }

    #[tokio::test]
    async fn a_server_with_one_choice_has_no_order() {
        let found = exhaust(vec![1, 2], ALONE, |item| *item, server(&[2])).await;
        assert_eq!(found, listing(&[2], None));
        let found = exhaust(vec![1, 2], ALONE, |item| *item, server(&[])).await;
        assert!(found.is_refused());
    }

    #[tokio::test]
    async fn a_companion_is_always_offered_and_listed_once() {
        let manner = Manner { companion: Some(5), ..Manner::at_once() };
        let asked = RefCell::new(Vec::new());
        let found = exhaust(
            vec![4, 5, 6],
            manner,
            |item| *item,
            |offers| {
                asked.borrow_mut().push(offers.clone());
                follower(&[4, 5])(offers)
            },
        )
        .await;
        assert_eq!(found.accepted, [4, 5]);
        assert!(asked.borrow().iter().all(|offers| offers.contains(&5)), "{asked:?}");
    }

    #[tokio::test]
    async fn a_server_that_has_had_enough_leaves_a_gap_and_not_a_refusal() {
        let asked = RefCell::new(0);
        let found = exhaust(
            vec![1, 2, 3],
            ALONE,
            |item| *item,
            |offers| {
                *asked.borrow_mut() += 1;
                let reply = match *asked.borrow() {
                    1 => Reply::Chose(offers[0]),
                    _ => Reply::Refused(Cause::Reset),
                };
                std::future::ready(reply)
            },
        )
        .await;
        assert_eq!(found.accepted, [1]);
        assert_eq!(found.cut_short.map(|failure| failure.cause), Some(Cause::Reset));
    }

    /// A server that accepts some offers, and closes the connection if it would choose one that it cannot use.
    fn broken_at(
        order: &'static [u8],
        broken: &'static [u8],
    ) -> impl Fn(Vec<u8>) -> std::future::Ready<Reply<u8>> {
        move |offers| {
            let chosen = order.iter().find(|item| offers.contains(item));
            std::future::ready(match chosen {
                Some(item) if broken.contains(item) => Reply::Refused(Cause::Closed),
                Some(item) => Reply::Chose(*item),
                None => refused(),
            })
        }
    }

    #[tokio::test]
    async fn an_offer_on_which_the_server_hangs_up_hides_no_other() {
        let manner = Manner { ordered: false, ..Manner::at_once() };
        let server = broken_at(&[3, 9, 1, 40], &[3]);
        let found = exhaust((1..=40).collect(), manner, |item| *item, server).await;
        let mut accepted = found.accepted;
        accepted.sort_unstable();
        assert_eq!(accepted, [1, 9, 40]);
        assert_eq!(found.cut_short, None);
    }

    #[tokio::test]
    async fn a_server_that_refuses_by_hanging_up_is_not_asked_for_ever() {
        let asked = RefCell::new(0);
        let found = exhaust(
            (1..=100).collect(),
            Manner::at_once(),
            |item| *item,
            |offers| {
                *asked.borrow_mut() += 1;
                let reply = if offers.contains(&7) {
                    Reply::Chose(7)
                } else {
                    Reply::Refused(Cause::Closed)
                };
                std::future::ready(reply)
            },
        )
        .await;
        assert_eq!((found.accepted, found.cut_short), (vec![7], None));
        assert!(*asked.borrow() < 40, "{asked:?}");
    }

    #[tokio::test]
    async fn a_server_that_chooses_what_was_not_offered_ends_the_search() {
        let found =
            exhaust(vec![1, 2], ALONE, |item| *item, |_| std::future::ready(Reply::Chose(7))).await;
        assert!(found.accepted.is_empty() && found.cut_short.is_some());
    }
}
