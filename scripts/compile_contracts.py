"""Compiles our own contracts and writes their artifacts to `abis/` (`make abis`)."""

from __future__ import annotations

from keeper.localchain.own_contracts import CONTRACTS, artifact_path, artifact_text


def main() -> None:
    """Writes one artifact for each contract and says how large its code is."""
    for name in CONTRACTS:
        text = artifact_text(name)
        artifact_path(name).parent.mkdir(exist_ok=True)
        artifact_path(name).write_text(text)
        print(f"{artifact_path(name).name}: {len(text):,} characters")


if __name__ == "__main__":
    main()
