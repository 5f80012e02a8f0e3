"""Compiles our own contracts and interfaces of others, and writes them to `abis/` (`make abis`)."""

from __future__ import annotations

from keeper.localchain.own_contracts import CONTRACTS, INTERFACES, ROUTED, artifact_path, artifact_text


def main() -> None:
    """Writes one artifact for each contract and interface, and says how large it is."""
    for name in (*CONTRACTS, *INTERFACES, *ROUTED):
        text = artifact_text(name)
        artifact_path(name).parent.mkdir(exist_ok=True)
        artifact_path(name).write_text(text)
        print(f"{artifact_path(name).name}: {len(text):,} characters")


if __name__ == "__main__":
    main()
