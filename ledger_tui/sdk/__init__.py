"""What programs use besides the services: recording what their own code does."""
