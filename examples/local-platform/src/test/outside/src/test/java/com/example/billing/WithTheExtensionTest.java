package com.example.billing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import run.caracal.Caracal;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.Service;
import run.caracal.platform.junit.CaracalPlatform;

@CaracalPlatform
class WithTheExtensionTest {
    @Test
    void charges(Caracal caracal, LocalPlatform platform) {
        assertTrue(new Billing(caracal).charge(1200).block().contains("charged"));
        assertEquals(1, platform.received(Service.GATEWAY).size());
        assertEquals(0, platform.openSessionCount());
    }
}
