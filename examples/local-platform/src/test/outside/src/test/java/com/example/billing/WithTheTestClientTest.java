package com.example.billing;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import run.caracal.error.StsException;
import run.caracal.platform.TestCaracal;

class WithTheTestClientTest {
    private final TestCaracal test = TestCaracal.create();
    private final Billing billing = new Billing(test.caracal());

    @AfterEach
    void close() {
        test.dispose();
    }

    @Test
    void charges() {
        assertTrue(billing.charge(1200).block().contains("charged"));
    }

    @Test
    void isRefused() {
        test.platform().deny("resource://billing-api", "billing:charge");
        assertThrows(
                StsException.AccessDenied.class, () -> billing.charge(1200).block());
    }
}
