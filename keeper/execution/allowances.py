"""Token allowances: granted exactly, and taken back where any is left. Each is recorded with its approval,
and deleted only once the chain shows it at zero."""

from __future__ import annotations

import structlog
from sqlmodel import Session, select

from keeper.chain.answers import BusyError, NodeError
from keeper.chain.blocks import Head
from keeper.chain.erc20 import allowance, approve
from keeper.chain.node import Node, RpcError
from keeper.errors import KeeperError
from keeper.execution import journal, nonces, transactions
from keeper.execution.rehearsal import Action, with_margin
from keeper.execution.sender import Sender
from keeper.execution.signatures import NotSignedError, begin, sign
from keeper.execution.submission import send
from keeper.model.plan import Plan
from keeper.store.tables.journal import StandingAllowance

log = structlog.get_logger()

_WORD_DIGITS = len("0x") + 64


def take_back(sender: Sender, head: Head) -> None:
    """Sign and send transactions that set idle allowances to zero; delete the records of those already at
    zero."""
    with sender.store.session() as session:
        idle = _idle(sender, session)
    for standing in idle:
        try:
            left = allowance_left(sender, standing.token, standing.spender)
        except NodeError as error:
            # Not known now: it stands until somebody says otherwise, and holds up nothing else.
            log.warning("allowance not told", token=standing.token, error=str(error))
            continue
        if left:
            _clear(sender, standing, head)
            continue
        with sender.store.session() as session:
            row = session.get(
                StandingAllowance, (sender.chain, sender.address, standing.token, standing.spender)
            )
            if row is not None:
                session.delete(row)


def allowance_left(sender: Sender, token: str, spender: str) -> int:
    """Allowance that `spender` still has now, token units; NodeError where no node answers with a number."""
    call = {"to": token, "data": allowance(sender.address, spender)}

    def ask(node: Node) -> int:
        answer = str(node.call("eth_call", [call, "latest"]))
        if len(answer) != _WORD_DIGITS:
            raise BusyError("answered with no allowance", where=node.label)
        return int(answer, 16)

    return int(sender.pool.call_by(ask))


def _idle(sender: Sender, session: Session) -> list[StandingAllowance]:
    """Allowances that no open intent needs and no transaction in flight will use or clear."""
    rows = session.exec(
        select(StandingAllowance).where(
            StandingAllowance.chain == sender.chain, StandingAllowance.owner == sender.address
        )
    ).all()
    if not rows:
        return []
    needed = set()
    for intent in journal.open_intents(session, sender.chain, "live"):
        spend = Plan.from_json(intent.plan).spend
        needed.add((spend.token.lower(), spend.spender.lower()))
    for transaction in transactions.unmined(session, sender.chain, sender.address):
        needed |= {(transaction.target.lower(), "0x" + transaction.data[34:74].lower())}
    return [row for row in rows if (row.token, row.spender) not in needed]


def _clear(sender: Sender, standing: StandingAllowance, head: Head) -> None:
    action = Action("clear", standing.token, approve(standing.spender, 0))
    call = {"from": sender.address, "to": action.target, "data": action.data}
    try:
        gas = with_margin(int(sender.pool.call("eth_estimateGas", call), 16))
        quote = sender.quote()
        with sender.store.session() as session:
            begin(sender, session)
            nonce = nonces.following(session, sender.chain, sender.address, quote.pending)
            last = journal.last_of_allowance(session, sender.chain, standing.token, standing.spender)
            carries = [last] if last is not None else []
            transaction = sign(sender, session, head, action, gas, quote.price, nonce, carries)
    except NotSignedError:
        return
    except (KeeperError, RpcError) as error:
        log.warning("allowance left", token=standing.token, error=str(error))
    else:
        send(sender, [transaction], head)
