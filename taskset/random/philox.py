"""Philox 4x32-10 (Salmon et al. 2011, section 3.3) as TensorFlow operations: the integers of `tf.random.stateless_uniform`.

For programs that XLA compiles for a CPU. There TensorFlow's own operation computes each block of four words four times, one
number after the other (nine times slower than this for 50,000 words, docs/benchmarks.md). Elsewhere it is far faster.
"""

import tensorflow as tf

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85  # the golden ratio and sqrt(3) - 1, in units of 2^-32
_SEEDING = 0x02461E293EC8F720  # the key with which TensorFlow turns seeds into keys
_ROUNDS = 10
_ROUNDS_PER_TURN = 2  # of the loop; all ten in one turn would be recomputed for each of the four words


def _low(x):
    return tf.cast(tf.bitwise.bitwise_and(x, tf.constant(0xFFFFFFFF, tf.uint64)), tf.uint32)


def _high(x):
    return tf.cast(tf.bitwise.right_shift(x, tf.constant(32, tf.uint64)), tf.uint32)


def _xor(x, y, z):
    return tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(x, y), z)


def _round(key, block):
    a, b = (tf.cast(word, tf.uint64) * tf.constant(m, tf.uint64) for word, m in zip(block[::2], _MULTIPLIERS))
    block = _xor(_high(b), block[1], key[0]), _low(b), _xor(_high(a), block[3], key[1]), _low(a)
    return tuple(k + tf.constant(step, tf.uint32) for k, step in zip(key, _KEY_STEPS)), block


def _start(seed):
    """(key, upper half of the counter) that TensorFlow derives from a seed, as four words; the lower half starts at 0."""
    key = tf.constant([_SEEDING], tf.uint64)
    return tf.unstack(
        tf.raw_ops.StatelessRandomUniformFullIntV2(shape=[4], key=key, counter=tf.cast(seed, tf.uint64), alg=1, dtype=tf.uint32)
    )


def words(key: tf.Tensor, n: int) -> tf.Tensor:
    """`n` uniform 32-bit integers from a key (int32 [2]), uint32 [n]."""
    *start, low, high = _start(key)
    number = tf.cast(tf.range(-(-n // 4)), tf.uint32)
    zeros = tf.zeros_like(number)

    def turn(i, key, block):
        for _ in range(_ROUNDS_PER_TURN):
            key, block = _round(key, block)
        return i + 1, key, block

    turns = _ROUNDS // _ROUNDS_PER_TURN
    state = tf.constant(0), tuple(start), (number, zeros, low + zeros, high + zeros)
    _, _, block = tf.while_loop(lambda i, *_: i < turns, turn, state, maximum_iterations=turns)
    return tf.reshape(tf.stack(block, axis=1), [-1])[:n]
