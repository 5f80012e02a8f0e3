"""Nonces and bids, on a chain that holds transactions back, forgets them, or counts somebody else's."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from eth_account import Account
from sqlalchemy.exc import IntegrityError

from keeper.chain import fees
from keeper.chain.fees import Fees
from keeper.chain.pool import NodePool
from keeper.chain.signer import Signer
from keeper.config import Chain
from keeper.errors import ConfigError, KeeperError
from keeper.execution import nonces, transactions
from keeper.execution.rehearsal import with_margin
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.store.tables.journal import SignerNonce, Transaction
from keeper.store.tables.states import TransactionState
from tests.integration.execution.conftest import CRASH, OTHER, THIRD, WELL, Fresh, Ready
from tests.support.faulty_node import FaultyNode, faulty
from tests.support.keeping import KEY
from tests.support.world import World

pytestmark = pytest.mark.integration

WAD = 10**18
QUICK = "[execution]\nreplace_blocks = 2\ncancel_blocks = 6\n"


def chain_of(w: World, transaction: Transaction) -> list[Transaction]:
    """A transaction and what it replaced, newest first."""
    by_id = {t.id: t for t in w.transactions()}
    found = [transaction]
    while found[-1].replaces_id is not None:
        found.append(by_id[found[-1].replaces_id])
    return found


def signed_by_hand(w: World, nonce: int, digest: str) -> Transaction:
    """A row as signing leaves it, with bytes that no node takes."""
    block = w.heads[-1].number
    return Transaction(
        chain="local",
        sender=w.payer,
        nonce=nonce,
        hash=digest,
        purpose="clear",
        target=w.market.reserves["USDC"].asset,
        raw="0x",
        state=TransactionState.SIGNED,
        gas_limit=21000,
        max_fee=1,
        tip=1,
        signed_block=block,
        first_block=block,
    )


def stuck(ready: Ready, node: FaultyNode, more: str = QUICK) -> World:
    """A liquidation whose transactions the node holds back."""
    w = ready(more, rpc=node.url)
    node.holds = True
    w.step(CRASH)
    assert {t.state for t in w.transactions()} == {"sent"}
    return w


def test_what_waits_bids_more_by_an_eighth_or_more_and_is_linked_to_what_it_replaces(
    fresh: Fresh, ready: Ready
) -> None:
    with faulty(fresh[0].url) as node:
        w = stuck(ready, node)
        for _ in range(4):
            w.step()
        newest = [t for t in w.transactions() if t.purpose == "act"][-1]
        line = chain_of(w, newest)
        assert len(line) == 3, "replaced after two blocks and again after two more"
        for new, old in pairwise(line):
            assert old.state == "replaced" and new.nonce == old.nonce
            assert new.max_fee * 8 >= old.max_fee * 9
            assert new.tip is not None and old.tip is not None and new.tip * 8 >= old.tip * 9
        assert not node.met["underpriced"], "the node's own rule was met"
        node.release()
        w.step()
        w.step()
        w.step()
    assert [i.state for i in w.intents()] == ["settled"]
    assert w.health(OTHER) > w.intents()[0].health
    assert w.allowance("USDC") == 0
    mined = [t for t in w.transactions() if t.state == "final"]
    assert len(mined) == len({t.nonce for t in mined})
    assert {t.state for t in w.transactions()} == {"final", "dropped"}


def test_what_no_block_has_for_long_is_cancelled_at_its_nonce(fresh: Fresh, ready: Ready) -> None:
    with faulty(fresh[0].url) as node:
        w = stuck(ready, node)
        for _ in range(6):
            w.step()
        cancels = [t for t in w.transactions() if t.purpose == "cancel"]
        assert {c.target for c in cancels} == {w.payer} and {c.data for c in cancels} == {"0x"}
        before = w.balance("USDC")
        node.release()
        w.anvil.mine()
        w.actor.settle(w.deciding.next_head())  # type: ignore[arg-type]
    [intent] = w.intents()
    assert intent.state == "expired" and "not included within 6 blocks" in intent.reason
    assert w.balance("USDC") == before
    [told] = [a for a in w.alerts() if a.kind.startswith("action_")]
    assert (told.kind, told.severity) == ("action_expired", "warning") and "not included" in told.body


def test_an_account_that_recovers_before_inclusion_is_not_acted_on(fresh: Fresh, ready: Ready) -> None:
    with faulty(fresh[0].url) as node:
        w = stuck(ready, node)
        w.step(WELL)
        assert [t.purpose for t in w.transactions() if t.state == "sent"] == ["cancel", "cancel"]
        node.release()
        w.step()
        w.step()
    [intent] = w.intents()
    assert intent.state == "expired" and "HealthFactorNotBelowThreshold" in intent.reason
    assert w.balance("USDC") == 1_000_000 * 10**6 and w.allowance("USDC") == 0


def test_the_bid_never_exceeds_the_ceiling(fresh: Fresh, ready: Ready) -> None:
    with faulty(fresh[0].url) as node:
        w = stuck(
            ready, node, "[execution]\nreplace_blocks = 1\ncancel_blocks = 50\nmax_gas_price_gwei = 3\n"
        )
        for _ in range(8):
            w.step()
    paid = [t.max_fee for t in w.transactions()]
    assert max(paid) <= 3 * 10**9 and len(paid) > 2


def test_a_lost_answer_is_settled_by_looking_for_the_hash(fresh: Fresh, ready: Ready) -> None:
    with faulty(fresh[0].url) as node:
        w = ready(rpc=node.url)
        node.choose = lambda request: "lose_answer" if request["method"] == "eth_sendRawTransaction" else None
        w.step(CRASH)
        node.choose = lambda _: None
        assert all(t.state == "sent" for t in w.transactions())
        signed = [t.hash for t in w.transactions()]
        w.step()
        w.step()
        assert node.met["lose_answer"] >= 2
    assert [t.hash for t in w.transactions() if t.purpose != "clear"] == signed
    assert [i.state for i in w.intents()] == ["settled"]


def test_several_intents_are_in_flight_with_nonces_of_their_own(fresh: Fresh, ready: Ready) -> None:
    with faulty(fresh[0].url) as node:
        w = ready(rpc=node.url, accounts=(OTHER, THIRD))
        node.holds = True
        w.step(CRASH)
        flying = w.transactions()
        assert sorted(t.nonce for t in flying) == list(range(flying[0].nonce, flying[0].nonce + len(flying)))
        assert len({i.account for i in w.intents() if i.state == "rehearsed"}) == 2
        node.release()
        for _ in range(3):
            w.step()
    assert {i.state for i in w.intents()} == {"settled"}


def test_no_two_live_transactions_share_a_nonce(fresh: Fresh, ready: Ready) -> None:
    w = ready()

    def write(digest: str) -> None:
        with w.store.session() as session:
            transactions.record(session, signed_by_hand(w, 7, digest), [])

    write("0x01")
    with pytest.raises(IntegrityError):
        write("0x02")
    with w.store.session() as session:
        assert nonces.following(session, "local", w.payer, 3) == 8


def test_a_key_used_elsewhere_is_told_and_shown(fresh: Fresh, ready: Ready) -> None:
    w = ready()
    anvil = fresh[0]
    key = Account.from_key(KEY)
    elsewhere = key.sign_transaction(
        {
            "chainId": 31337,
            "nonce": int(w.deciding.pool.call("eth_getTransactionCount", w.payer, "latest"), 16),
            "to": key.address,
            "value": 0,
            "gas": 21000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 1,
            "type": 2,
        }
    )
    anvil.rpc.call("eth_sendRawTransaction", "0x" + bytes(elsewhere.raw_transaction).hex())
    w.step()
    w.step()
    [told] = w.alerts("foreign_nonce")
    assert told.severity == "critical"
    with w.store.session() as session:
        row = session.get_one(SignerNonce, ("local", w.payer))
    assert (row.foreign, row.foreign_nonce) == (1, row.counted - 1)
    w.step(CRASH)
    w.step()
    assert w.health(OTHER) > w.intents()[0].health, "and it goes on with the nonces after it"
    assert len(w.alerts("foreign_nonce")) == 1


def test_a_gap_below_ours_is_filled(fresh: Fresh, ready: Ready) -> None:
    """Somebody's pending transaction took a nonce, ours came after it, and then it vanished."""
    w = ready()
    gap = int(w.deciding.pool.call("eth_getTransactionCount", w.payer, "latest"), 16)
    with w.store.session() as session:
        transactions.record(session, signed_by_hand(w, gap + 1, "0x" + "77" * 32), [])
    w.step()
    fills = [t for t in w.transactions() if t.purpose == "fill"]
    assert [f.nonce for f in fills] == [gap]
    assert [f.gas_limit for f in fills] == [with_margin(21_000)], "estimated, with room"
    w.step()
    with w.store.session() as session:
        [done] = transactions.at_nonce(session, "local", w.payer, gap, [TransactionState.FINAL])
    assert done.purpose == "fill"


@pytest.mark.parametrize("tag", ["pending", "latest"])
def test_one_wrong_count_of_nonces_moves_nothing(
    fresh: Fresh, ready: Ready, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    """A node that mixes up its answers once: nothing is signed at a nonce that the chain never reaches, and
    no thousand gaps are filled at 21,000 gas each."""
    w = ready()
    w.step()
    pool, lies = w.deciding.pool, [hex(1_000)]
    honest = pool.call

    def call(method: str, *params: object) -> object:
        asked = method == "eth_getTransactionCount" and params[1] == tag
        return lies.pop() if asked and lies else honest(method, *params)

    monkeypatch.setattr(pool, "call", call)
    w.step()
    for _ in range(4):
        w.step(CRASH)
    assert not lies
    assert max(t.nonce for t in w.transactions()) < 10
    assert [t for t in w.transactions() if t.purpose == "fill"] == []
    assert [i.state for i in w.intents()][-1] == "settled"
    assert w.alerts("foreign_nonce") == []


def test_replacing_raises_both_fees_by_an_eighth_rounded_up_within_the_ceiling() -> None:
    assert fees.replacing(Fees(9, 1), Fees(1, 1), 100) == Fees(11, 2)
    assert fees.replacing(Fees(100, 10), Fees(500, 3), 1000) == Fees(500, 12)
    assert fees.replacing(Fees(100, 100), Fees(1, 1), 1000) == Fees(113, 113)
    assert fees.replacing(Fees(100, 10), Fees(1, 1), 112) is None
    assert fees.replacing(Fees(8, None), Fees(1, None), 100) == Fees(9, None)


def test_the_suggestion_follows_the_fee_history_and_rises_with_the_blocks_waited() -> None:
    with Anvil(AnvilOptions()) as anvil:
        pool = NodePool("x", Chain(chain_id=31337, rpc=[anvil.url]))
        anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(7 * 10**9))
        anvil.mine()
        history = pool.call("eth_feeHistory", "0x5", "latest", [50])
        base = int(history["baseFeePerGas"][-1], 16)
        now, later = fees.suggest(pool, 10**12), fees.suggest(pool, 10**12, waited=8)
        assert now.tip is not None and later.tip is not None
        assert now.max_fee == 2 * base + now.tip
        assert later.tip == now.tip * 3, "a quarter more with each block"
        with pytest.raises(KeeperError, match="above the ceiling"):
            fees.suggest(pool, base // 2)


def test_a_chain_without_base_fee_gets_eip155_transactions_with_its_id(tmp_path: Path) -> None:
    with Anvil(AnvilOptions(extra=("--hardfork", "berlin"))) as anvil:
        pool = NodePool("old", Chain(chain_id=31337, rpc=[anvil.url]))
        price = fees.suggest(pool, 10**12)
        assert price.tip is None and price.max_fee == int(pool.call("eth_gasPrice"), 16)
        key = Account.from_key(KEY)
        anvil.set_balance(key.address, WAD)
        fields = {"nonce": 0, "to": key.address, "value": 0, "gas": 21000, **price.fields()}
        raw, digest = Signer(key).sign({"chainId": 31337, **fields})
        assert pool.call("eth_sendRawTransaction", raw) == digest
        sent = pool.call("eth_getTransactionByHash", digest)
        assert (int(sent["type"], 16), int(sent["v"], 16)) in [(0, 31337 * 2 + 35), (0, 31337 * 2 + 36)]
        with pytest.raises(ConfigError, match="without chain id"):
            Signer(key).sign(fields)
