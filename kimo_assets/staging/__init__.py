"""Step 1: ERP -> schema integrator. Stream, let COPY validate, quarantine, guard, swap."""
