//! Users and their passwords. A check of bcrypt takes a moment of processor time by design, so one thread makes them all,
//! one after the other; how many wait is bounded, and a password that was right once is known again without a check.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{anyhow, bail};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use bcrypt::HashParts;
use tokio::sync::{OnceCell, oneshot};

use super::TurnedAway;
use super::file::UserTable;

/// The highest cost of a hash. Each step doubles the time of a check: 10 takes some 50 ms, 16 some 4 s, 31 days.
const MAX_COST: u32 = 16;

/// The most users.
const MAX_USERS: usize = 1000;

/// The most checks that wait.
const MAX_WAITING: usize = 16;

/// The most of them for clients of one network, so that one that guesses leaves room for others.
const MAX_WAITING_FROM_ONE: usize = 4;

/// Identifies a user, a hash and a password, without giving them away.
type Digest = [u8; 32];

/// The users of a web configuration.
#[derive(Default)]
pub(super) struct Users {
    by_name: BTreeMap<Vec<u8>, User>,
    /// What the password of an unknown user is checked against, so that time does not tell which names exist.
    decoy: String,
}

struct User {
    hash: String,
    /// The last password that was right.
    known: Mutex<Option<Digest>>,
}

impl Users {
    pub(super) fn new(table: UserTable) -> anyhow::Result<Self> {
        if table.0.len() > MAX_USERS {
            bail!("basic_auth_users: more than {MAX_USERS} users");
        }
        let mut highest = 0;
        let mut by_name = BTreeMap::new();
        for (name, hash) in table.0 {
            let cost = cost(&hash).map_err(|why| anyhow!("basic_auth_users: {name:?}: {why}"))?;
            highest = highest.max(cost);
            by_name.insert(name.into_bytes(), User { hash, known: Mutex::new(None) });
        }
        let decoy = format!("$2y${highest:02}${}", ".".repeat(53));
        Ok(Self { by_name, decoy })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Knows the passwords again that were right before, as far as users and hashes are the same.
    pub(super) fn remember(&self, before: &Self) {
        for (name, user) in &self.by_name {
            if let Some(old) = before.by_name.get(name).filter(|old| old.hash == user.hash) {
                *locked(&user.known) = *locked(&old.known);
            }
        }
    }
}

/// The cost of a hash that this program checks.
fn cost(hash: &str) -> Result<u32, String> {
    let parts: Result<HashParts, _> = hash.parse();
    let cost = parts.map_err(|_| "the password is not a bcrypt hash ($2y$10$...)")?.get_cost();
    if !(4..=MAX_COST).contains(&cost) {
        return Err(format!("the hash has a cost of {cost}; 4 to {MAX_COST} are supported"));
    }
    Ok(cost)
}

/// The thread that checks passwords, and what waits for it.
pub(super) struct Checker {
    checks: SyncSender<PasswordCheck>,
    key: hmac::Key,
    /// Checks that run or wait. Equal ones are made once.
    pending: Mutex<HashMap<Digest, Arc<OnceCell<bool>>>>,
    /// How many there are for each network.
    networks: Mutex<HashMap<u64, usize>>,
}

struct PasswordCheck {
    password: Vec<u8>,
    hash: String,
    answer: oneshot::Sender<bool>,
}

impl Checker {
    /// Starts the thread, which ends with the checker.
    pub(super) fn start() -> anyhow::Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| anyhow!("the system has no random numbers"))?;
        let (checks, waiting) = mpsc::sync_channel::<PasswordCheck>(MAX_WAITING);
        thread::Builder::new().name("passwords".to_owned()).spawn(move || {
            for check in waiting {
                // Whoever asked may have gone.
                if !check.answer.is_closed() {
                    let is_right = bcrypt::verify(&check.password, &check.hash).unwrap_or(false);
                    let _ = check.answer.send(is_right);
                }
            }
        })?;
        Ok(Self { checks, key, pending: Mutex::default(), networks: Mutex::default() })
    }

    /// Checks the value of the header `Authorization`.
    pub(super) async fn check(
        &self,
        users: &Users,
        authorization: Option<&[u8]>,
        client: IpAddr,
    ) -> Result<(), TurnedAway> {
        let (name, password) = authorization.and_then(credentials).ok_or(TurnedAway::NoPassword)?;
        let user = users.by_name.get(&name);
        let hash = user.map_or(&users.decoy, |user| &user.hash);
        let digest = self.digest(&[&name, hash.as_bytes(), &password]);
        let known = user.and_then(|user| *locked(&user.known));
        if known.is_some_and(|known| known == digest) {
            return Ok(());
        }
        let is_right = self.decide(digest, &password, hash, client).await?;
        let user = user.filter(|_| is_right).ok_or(TurnedAway::WrongPassword)?;
        *locked(&user.known) = Some(digest);
        Ok(())
    }

    /// The answer of the thread. Of requests with equal credentials one asks, and all get its answer.
    async fn decide(
        &self,
        digest: Digest,
        password: &[u8],
        hash: &str,
        client: IpAddr,
    ) -> Result<bool, TurnedAway> {
        let cell = Arc::clone(locked(&self.pending).entry(digest).or_default());
        let _leave = Leave { checker: self, digest };
        let decided = cell.get_or_try_init(|| async {
            let _place = self.place(client).ok_or(TurnedAway::Busy)?;
            let (answer, decided) = oneshot::channel();
            let check =
                PasswordCheck { password: password.to_vec(), hash: hash.to_owned(), answer };
            self.checks.try_send(check).map_err(|_| TurnedAway::Busy)?;
            decided.await.map_err(|_| TurnedAway::Busy)
        });
        decided.await.copied()
    }

    /// A place among those that wait, until it is dropped.
    fn place(&self, client: IpAddr) -> Option<WaitingPlace<'_>> {
        let network = network(client);
        let mut networks = locked(&self.networks);
        let waiting = networks.entry(network).or_default();
        if *waiting >= MAX_WAITING_FROM_ONE {
            return None;
        }
        *waiting += 1;
        Some(WaitingPlace { checker: self, network })
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

/// Forgets a decision when the last one that waits for it goes.
struct Leave<'c> {
    checker: &'c Checker,
    digest: Digest,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut pending = locked(&self.checker.pending);
        if let Entry::Occupied(cell) = pending.entry(self.digest)
            // The table has one, and the one that leaves another.
            && Arc::strong_count(cell.get()) <= 2
        {
            cell.remove();
        }
    }
}

struct WaitingPlace<'c> {
    checker: &'c Checker,
    network: u64,
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        let mut networks = locked(&self.checker.networks);
        if let Entry::Occupied(mut waiting) = networks.entry(self.network) {
            *waiting.get_mut() -= 1;
            if *waiting.get() == 0 {
                waiting.remove();
            }
        }
    }
}

/// The network of a client: the address, or the first half of one of IPv6, all of which one client can have.
fn network(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

/// Name and password of basic authentication.
fn credentials(authorization: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, rest) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let plain = base64_of(rest)?;
    let colon = plain.iter().position(|byte| *byte == b':')?;
    Some((plain[..colon].to_vec(), plain[colon + 1..].to_vec()))
}

fn base64_of(text: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine;
    use tokio::time::timeout;

    use super::*;

    /// Of "open sesame", at the lowest cost.
    fn hash() -> String {
        bcrypt::hash_with_salt(b"open sesame", 4, [7; 16]).unwrap().to_string()
    }

    fn users(entries: &[(&str, &str)]) -> anyhow::Result<Users> {
        let owned = entries.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned()));
        Users::new(UserTable(owned.collect()))
    }

    fn basic(text: &str) -> Vec<u8> {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text)).into_bytes()
    }

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn only_the_right_password_of_a_user_is_let_in() {
        let users = users(&[("ali", &hash()), ("", &hash())]).unwrap();
        let checker = Checker::start().unwrap();
        for (header, expected) in [
            (basic("ali:open sesame"), Ok(())),
            (basic("ali:open sesame"), Ok(())),
            (basic(":open sesame"), Ok(())),
            (basic("ali:open sesam"), Err(TurnedAway::WrongPassword)),
            (basic("ali:open sesame "), Err(TurnedAway::WrongPassword)),
            (basic("ali:"), Err(TurnedAway::WrongPassword)),
            (basic("Ali:open sesame"), Err(TurnedAway::WrongPassword)),
            (basic("cassim:open sesame"), Err(TurnedAway::WrongPassword)),
            (basic("ali"), Err(TurnedAway::NoPassword)),
            (b"Basic".to_vec(), Err(TurnedAway::NoPassword)),
            (b"Basic %%%".to_vec(), Err(TurnedAway::NoPassword)),
            (b"Bearer YWxpOm9wZW4gc2VzYW1l".to_vec(), Err(TurnedAway::NoPassword)),
            (b"bASIC YWxpOm9wZW4gc2VzYW1l".to_vec(), Ok(())),
        ] {
            let checked = checker.check(&users, Some(&header), CLIENT).await;
            assert_eq!(checked, expected, "{}", String::from_utf8_lossy(&header));
        }
        assert_eq!(checker.check(&users, None, CLIENT).await, Err(TurnedAway::NoPassword));
        assert!(locked(&checker.pending).is_empty() && locked(&checker.networks).is_empty());
    }

    #[tokio::test]
    async fn the_hash_of_unknown_users_opens_nothing() {
        let users = users(&[("ali", &hash())]).unwrap();
        assert_eq!(cost(&users.decoy), Ok(4));
        for password in ["", "fakepassword", "\0", "open sesame"] {
            assert!(!bcrypt::verify(password, &users.decoy).unwrap_or(false), "{password:?}");
        }
    }

    /// A checker whose thread is the receiver's owner.
    fn without_thread() -> (Checker, mpsc::Receiver<PasswordCheck>) {
        let (checks, waiting) = mpsc::sync_channel(MAX_WAITING);
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let (pending, networks) = Default::default();
        (Checker { checks, key, pending, networks }, waiting)
    }

    #[tokio::test]
    async fn a_reload_forgets_a_password_only_with_its_user_or_its_hash() {
        let other = bcrypt::hash_with_salt(b"open sesame", 4, [8; 16]).unwrap().to_string();
        let before = users(&[("ali", &hash()), ("cassim", &hash()), ("gone", &hash())]).unwrap();
        let after = users(&[("ali", &hash()), ("cassim", &other)]).unwrap();
        let (checker, waiting) = without_thread();
        for (name, user) in &before.by_name {
            let digest = checker.digest(&[name, hash().as_bytes(), b"open sesame"]);
            *locked(&user.known) = Some(digest);
        }
        after.remember(&before);
        // Nobody answers, and nobody need.
        let ali = basic("ali:open sesame");
        assert_eq!(checker.check(&after, Some(&ali), CLIENT).await, Ok(()));
        drop(waiting);
        for name in ["cassim", "gone"] {
            let header = basic(&format!("{name}:open sesame"));
            let checked = checker.check(&after, Some(&header), CLIENT).await;
            assert_eq!(checked, Err(TurnedAway::Busy), "{name}");
        }
    }

    #[tokio::test]
    async fn guesses_of_one_network_leave_room_for_others() {
        let (checker, waiting) = without_thread();
        let users = users(&[("ali", &hash())]).unwrap();
        let guesses: Vec<Vec<u8>> = (0..9).map(|n| basic(&format!("ali:{n}"))).collect();
        let from_one = guesses.iter().map(|guess| checker.check(&users, Some(guess), CLIENT));
        let all = futures::future::join_all(from_one);
        let mut all = std::pin::pin!(all);
        // Nobody checks: those that have a place wait, and the others were told.
        assert!(timeout(Duration::from_millis(20), &mut all).await.is_err());
        assert_eq!(waiting.try_iter().count(), MAX_WAITING_FROM_ONE);
        let again = basic("ali:0");
        let same = checker.check(&users, Some(&again), "192.0.2.1".parse().unwrap());
        assert!(timeout(Duration::from_millis(20), same).await.is_err());
        assert_eq!(waiting.try_iter().count(), 0, "equal checks are made once");
        let other = basic("ali:other");
        let other = checker.check(&users, Some(&other), "192.0.2.1".parse().unwrap());
        assert!(timeout(Duration::from_millis(20), other).await.is_err());
        assert_eq!(waiting.try_iter().count(), 1);
    }

    #[test]
    fn a_hash_that_would_take_hours_is_refused() {
        let with_cost = |cost: &str| hash().replace("$04$", &format!("${cost}$"));
        for (hash, words) in [
            (with_cost("17"), "a cost of 17"),
            (with_cost("31"), "a cost of 31"),
            (with_cost("03"), "a cost of 3"),
            ("open sesame".to_owned(), "not a bcrypt hash"),
            (hash()[..58].to_owned(), "not a bcrypt hash"),
            (String::new(), "not a bcrypt hash"),
        ] {
            let error = users(&[("ali", &hash)]).err().unwrap().to_string();
            assert!(error.contains("\"ali\"") && error.contains(words), "{hash}: {error}");
        }
        assert!(users(&[("ali", &with_cost("16"))]).is_ok());
    }

    #[test]
    fn clients_of_one_network_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
    }
}
