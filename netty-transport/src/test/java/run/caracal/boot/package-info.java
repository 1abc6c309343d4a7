@org.jspecify.annotations.NullMarked
package run.caracal.boot;
