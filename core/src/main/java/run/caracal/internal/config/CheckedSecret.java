package run.caracal.internal.config;

/** A resolver of a client secret that was checked when the resolver was made, so that it is not checked for each mint. */
public interface CheckedSecret {}
