#include "libs/retry/circuit_breaker.h"

#include "libs/testing/fake_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct fake_clock clock;
    struct circuit_breaker breaker;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    fake_clock_init(&f->clock, 0);
    circuit_breaker_init(&f->breaker, &(struct circuit_breaker_options){
                                          .clock = &f->clock.clock,
                                          .max_failures = 3,
                                          .open_ms = 500,
                                      });
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    circuit_breaker_reset(&f->breaker);
    free(f);
    return 0;
}

/* Plays a script and fails where the breaker does not as the script says:
 *     S F   a call goes, and succeeds or fails        x   a call does not go
 *     p     a call goes, and says nothing yet         s f the last p succeeds, fails
 *     .     100 ms pass */
static void play(struct fixture *f, const char *script)
{
    uint64_t pending = 0;

    for (const char *at = script; *at != '\0'; at++) {
        bool goes_now = *at == 'S' || *at == 'F' || *at == 'p';
        uint64_t ticket = 0;
        if (*at == '.') {
            fake_clock_advance_ms(&f->clock, 100);
        } else if (*at == 's' || *at == 'f') {
            circuit_breaker_report(&f->breaker, pending, *at == 's');
        } else if (circuit_breaker_allow(&f->breaker, &ticket) != goes_now) {
            fail_msg("'%s' at %d", script, (int)(at - script));
        } else if (*at == 'p') {
            pending = ticket;
        } else if (goes_now) {
            circuit_breaker_report(&f->breaker, ticket, *at == 'S');
        }
    }
}

static void it_opens_and_closes_as_drawn(void **state)
{
    static const struct {
        const char *script;
        enum circuit_state want;
    } cases[] = {
        { "SSSS", CIRCUIT_CLOSED },
        { "FFSFFS", CIRCUIT_CLOSED }, /* never three in a row */
        { "FFFx", CIRCUIT_OPEN },
        { "FFF....x", CIRCUIT_OPEN },        /* 400 ms are not enough */
        { "FFF.....px", CIRCUIT_HALF_OPEN }, /* one probe, no second */
        { "FFF.....psSS", CIRCUIT_CLOSED },
        { "FFF.....pfx", CIRCUIT_OPEN },
        { "FFF.....pf....x.S", CIRCUIT_CLOSED },
        { "FFF.....SFFS", CIRCUIT_CLOSED },        /* failures are counted anew */
        { "pFFFs", CIRCUIT_OPEN },                 /* an old call's success says nothing */
        { "pFFF.....Sf", CIRCUIT_CLOSED },         /* nor does its failure */
        { "FFF.....p....x.p", CIRCUIT_HALF_OPEN }, /* a probe that never ends is given up */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = *state;
        play(f, cases[i].script);
        if (circuit_breaker_state(&f->breaker) != cases[i].want) {
            fail_msg("'%s' ends as %d", cases[i].script, circuit_breaker_state(&f->breaker));
        }
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
}

static void it_says_how_long_to_wait(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(circuit_breaker_wait_ms(&f->breaker), 0);
    play(f, "FFF.");
    assert_int_equal(circuit_breaker_wait_ms(&f->breaker), 400);
    play(f, ".....");
    assert_int_equal(circuit_breaker_wait_ms(&f->breaker), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_opens_and_closes_as_drawn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_says_how_long_to_wait, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("circuit_breaker", tests, NULL, NULL);
}
