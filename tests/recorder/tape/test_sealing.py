"""Where a segment ends: the first limit of the policy that a row reaches."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from recorder.settings import SealPolicy
from recorder.tape.sealing import UnsealedSegment
from tests.support.constants import START
from tests.support.oracle import Row

DAY_NS = 86_400 * 10**9
MIDNIGHT = (START // DAY_NS + 1) * DAY_NS


def naive_room(policy: SealPolicy, held: list[Row], rows: list[Row]) -> int:
    """Return how many rows belong to a segment, by a look at each."""
    first = (held or rows)[0].recv_time
    size, number = sum(len(row.payload.encode()) for row in held), len(held)
    room = 0
    for row in rows:
        is_old = row.recv_time - first >= policy.seconds * 10**9 or row.recv_time // DAY_NS != first // DAY_NS
        if number == policy.rows or size >= policy.bytes or is_old:
            break
        room, number, size = room + 1, number + 1, size + len(row.payload.encode())
    return room


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.sampled_from(["", "a", "é", "abcdef"])), min_size=1, max_size=20
    ),
    st.integers(0, 19),
    st.builds(SealPolicy, rows=st.integers(1, 12), bytes=st.integers(1, 30), seconds=st.integers(1, 40)),
    st.integers(0, 60),
)
def test_the_first_limit_ends_a_segment(
    steps: list[tuple[int, str]], begun: int, policy: SealPolicy, to_midnight: int
) -> None:
    """Rows, payload, age and UTC midnight end a segment at the row that a look at each row finds."""
    times = accumulate((seconds for seconds, _ in steps), initial=0)
    start = MIDNIGHT - to_midnight * 10**9
    rows = [
        Row(seq, start + seconds * 10**9, 0, "frame", text)
        for seq, (seconds, (_, text)) in enumerate(zip(times, steps, strict=False))
    ]
    held, following = rows[:begun], rows[begun:]
    if not following or (held and naive_room(policy, [], held) < len(held)):
        return
    segment = UnsealedSegment(rows[0].seq, rows[0].recv_time)
    if held:
        segment.add([row[1:] for row in held], sum(len(row.payload.encode()) for row in held))
    room, size = segment.room(policy, [row[1:] for row in following])
    assert room == naive_room(policy, held, following)
    assert size == sum(len(row.payload.encode()) for row in following[:room])
    assert (segment.next_seq, segment.first_time) == (len(held), rows[0].recv_time)
