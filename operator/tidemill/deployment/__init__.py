"""The ModelDeployment controller: one Deployment per version, one address for all of them."""
