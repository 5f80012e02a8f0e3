"""The interface every protocol answers, role by role. Pure: all input is passed in, nothing is fetched."""
