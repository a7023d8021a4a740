/* A practical limit for the speed of a replay: parses the frames of one known tape and keeps the book.
 *
 * It checks nothing: it expects the key order of level2_batch, two decimals, prices below 167,772.16, no spaces.
 * A side is an array indexed by price; the next best price is searched from the previous one. */
#include <stdint.h>
#include <string.h>

enum { LEVELS = 1 << 24 };
static double sizes[2][LEVELS];
static int32_t best[2] = {-1, LEVELS};

void reset(void) {
    memset(sizes, 0, sizeof sizes);
    best[0] = -1;
    best[1] = LEVELS;
}

static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

/* Reads digits and a decimal point up to the closing quote, and moves behind it. */
static inline uint64_t number(const char **at, int *decimals) {
    const char *p = *at, *point = 0;
    uint64_t value = 0;
    for (; *p != '"'; p++) {
        if (*p == '.') point = p + 1;
        else value = value * 10 + (uint64_t)(*p - '0');
    }
    *decimals = point ? (int)(p - point) : 0;
    *at = p + 1;
    return value;
}

static inline void set(int side, const char **at) {
    int decimals;
    uint64_t price = number(at, &decimals);
    for (; decimals < 2; decimals++) price *= 10;
    *at += 2; /* ," */
    uint64_t digits = number(at, &decimals);
    double size = (double)digits / powers[decimals];
    *at += 1; /* ] */
    sizes[side][price] = size;
    if (side == 0) {
        if (digits && (int32_t)price > best[0]) best[0] = (int32_t)price;
        else if (!digits && (int32_t)price == best[0]) while (best[0] >= 0 && sizes[0][best[0]] == 0) best[0]--;
    } else {
        if (digits && (int32_t)price < best[1]) best[1] = (int32_t)price;
        else if (!digits && (int32_t)price == best[1]) while (best[1] < LEVELS && sizes[1][best[1]] == 0) best[1]++;
    }
}

static const char *levels(int side, const char *at) {
    at += 1; /* [ */
    while (*at != ']') {
        if (*at == ',') at++;
        at += 2; /* [" */
        set(side, &at);
    }
    return at + 1;
}

/* Processes the frames of a batch; writes bid, bid size, ask and ask size of each. Returns their number. */
int64_t run(const char *data, const int32_t *offsets, int64_t rows, double *out) {
    int64_t found = 0;
    for (int64_t row = 0; row < rows; row++) {
        const char *at = data + offsets[row];
        if (memcmp(at, "{\"type\":\"l2update\"", 18) == 0) {
            at = strstr(at + 18, "\"changes\":[") + 11;
            while (*at != ']') {
                if (*at == ',') at++;
                int side = at[2] == 's';
                at += side ? 9 : 8; /* ["sell"," */
                set(side, &at);
            }
        } else if (memcmp(at, "{\"type\":\"snapshot\"", 18) == 0) {
            reset();
            at = levels(1, strstr(at, "\"asks\":") + 7);
            levels(0, strstr(at, "\"bids\":") + 7);
        } else {
            continue;
        }
        out[4 * found] = best[0] / 100.0;
        out[4 * found + 1] = sizes[0][best[0]];
        out[4 * found + 2] = best[1] / 100.0;
        out[4 * found + 3] = sizes[1][best[1]];
        found++;
    }
    return found;
}
