#include "services/registry/ca_store.h"

#include "libs/store/store_contract.h"
#include "libs/testing/assert_status.h"

static void its_migrations_have_a_way_back(void **state)
{
    (void)state;
    store_migrations_contract(ca_store_migrate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_migrations_have_a_way_back),
    };

    return cmocka_run_group_tests_name("ca_store", tests, NULL, NULL);
}
